// THE file compiled once per instruction set, with FINITESUM_ISA naming the level. Everything in it has internal
// linkage but the table: a function shared with baseline code could be merged into it by the linker. Hence no standard
// header with templates, and a check of the object file's symbols after each build (cpp/cmake/CheckIsaSymbols.cmake).
#include "kernels/adagrad.inl"
#include "kernels/batch_norm.inl"
#include "kernels/columns.inl"
#include "kernels/dense.inl"
#include "kernels/gram.inl"
#include "kernels/losses.inl"
#include "kernels/network.inl"
#include "kernels/optimizers.inl"
#include "kernels/quads.inl"
#include "kernels/sparse.inl"
#include "kernels/table.hpp"

#define FINITESUM_TEXT_OF(name) #name
#define FINITESUM_TEXT(name) FINITESUM_TEXT_OF(name)

namespace finitesum::FINITESUM_ISA {
namespace {

template <class... Loss>
constexpr KernelTable make_table(TypeList<Loss...>) {
  return {FINITESUM_TEXT(FINITESUM_ISA),
          multiply_strips,
          dense_kernels<float>,
          dense_kernels<double>,
          sparse_kernels<float, std::int32_t>,
          sparse_kernels<float, std::int64_t>,
          sparse_kernels<double, std::int32_t>,
          sparse_kernels<double, std::int64_t>,
          {loss_kernels<Loss>...},
          {dense_column_kernels<float>, dense_column_kernels<double>, sparse_column_kernels<float, std::int32_t>,
           sparse_column_kernels<float, std::int64_t>, sparse_column_kernels<double, std::int32_t>,
           sparse_column_kernels<double, std::int64_t>, softmax_kernels},
          {dense_quad_kernels<float>, dense_quad_kernels<double>},
          {all_optimizer_kernels<float>.rows, all_optimizer_kernels<double>.rows},
          {batch_norm_kernels<float>, batch_norm_kernels<double>},
          {network_kernels<float>, network_kernels<double>},
          {adagrad_kernels<float, std::int32_t>, adagrad_kernels<float, std::int64_t>,
           adagrad_kernels<double, std::int32_t>, adagrad_kernels<double, std::int64_t>}};
}

}  // namespace

extern const KernelTable table;
constexpr KernelTable table = make_table(Losses{});

}  // namespace finitesum::FINITESUM_ISA
