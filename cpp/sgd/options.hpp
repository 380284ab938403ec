// Stochastic gradient descent as plain data.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>

#include "optimizers/visit.hpp"
#include "sgd/schedule.hpp"

namespace finitesum {

// What a gradient is cut to: each of its numbers, or their Euclidean norm.
enum class Clip { none, value, norm };
inline constexpr std::array<const char*, 3> clip_names{"none", "value", "norm"};

// Where the coefficients have to stay.
enum class Ball { none, l1, l2 };
inline constexpr std::array<const char*, 3> ball_names{"none", "l1", "l2"};

// Which iterates the result averages: none; from a step on all alike, or in proportion to their number; those since the
// last epoch whose number, counted from one, is a power of two; or in proportion to t (t + 1) ... (t + 7), t their
// number (O. Shamir and T. Zhang, ICML 2013, section 4, eta = 8).
enum class Average { none, uniform, weighted, suffix, polynomial };
inline constexpr std::array<const char*, 5> average_names{"none", "uniform", "weighted", "suffix", "polynomial"};

enum class RowOrder { shuffle, iid, cyclic };
inline constexpr std::array<const char*, 3> row_order_names{"shuffle", "iid", "cyclic"};

struct SgdOptions {
  std::string loss = "hinge";
  double loss_parameter = 0.1;
  std::size_t n_classes = 0;  // if positive, the loss is the multinomial one
  double alpha = 1e-4;
  double l1_ratio = 0;
  bool fit_intercept = true;
  std::string optimizer = Sgd::name;
  OptimizerParameters optimizer_options;
  bool per_example = false;  // whether rules that average squares of gradients take each row's of a batch
  std::size_t batch_size = 1;
  std::size_t n_passes = 1;  // over the rows, of an epoch
  RowOrder order = RowOrder::shuffle;
  Clip clip = Clip::none;
  double clip_limit = std::numeric_limits<double>::infinity();
  Ball ball = Ball::none;
  double radius = std::numeric_limits<double>::infinity();
  Average average = Average::none;
  double average_start = 1;  // step
  bool is_exact = false;     // whether an epoch's objective is that of its last iterate, by a pass over all rows
  ScheduleOptions schedule;
  std::size_t max_iter = 1000;  // epochs
  std::uint64_t seed = 0;
};

}  // namespace finitesum
