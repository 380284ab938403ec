#include "api/fit_sgd.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>
#include <variant>

#include "api/fit.hpp"
#include "api/request_checks.hpp"
#include "sgd/descent.hpp"
#include "sgd/objective.hpp"

namespace finitesum {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

// Share of the weight with the right class, or sign, zero counting as negative as in predictions; or R^2.
double score_of(const ValidationRows& rows, const std::vector<double>& coef, const std::vector<double>& intercepts) {
  const auto weight = [&](std::size_t i) { return rows.sample_weight != nullptr ? rows.sample_weight[i] : 1.0; };
  const auto score = [&](const auto& X) {
    const auto& row_kernels_of_X = row_kernels(kernels(), X);
    std::vector<double> z(intercepts.size());
    double total = 0;
    double right = 0;
    double sum = 0;
    for (std::size_t i = 0; i < X.n_rows; ++i) {
      total += weight(i);
      if (rows.classes == nullptr) sum += weight(i) * rows.y[i];
    }
    double residual = 0;
    double spread = 0;
    for (std::size_t i = 0; i < X.n_rows; ++i) {
      for (std::size_t k = 0; k < z.size(); ++k)
        z[k] = dot(row_kernels_of_X, X.row(i), coef.data() + k * X.n_columns) + intercepts[k];
      if (rows.classes != nullptr) {
        if (std::max_element(z.begin(), z.end()) - z.begin() == rows.classes[i]) right += weight(i);
        continue;
      }
      const double y = rows.y[i];
      if ((z[0] > 0) == (y > 0)) right += weight(i);
      residual += weight(i) * (z[0] - y) * (z[0] - y);
      spread += weight(i) * (y - sum / total) * (y - sum / total);
    }
    if (rows.are_labels) return right / total;
    if (spread == 0) return residual == 0 ? 1.0 : 0.0;  // scikit-learn's r2_score
    return 1 - residual / spread;
  };
  return std::visit(score, rows.X);
}

template <class View>
class Run {
 public:
  Run(const SgdRequest& request, const SgdRows<View>& rows, double to_mean, double n_counted)
      : request_(request),
        control_(request.time_limit, request.interrupted),
        descent_(kernels(), rows, request.options, to_mean, n_counted),
        n_rows_(rows.X.n_rows),
        objective_(kernels(), rows, request.options, to_mean, n_counted),
        null_objective_(objective_.at_zero()),
        best_(rows.X.n_columns * descent_.n_outputs()),
        best_intercepts_(descent_.n_outputs()) {
    if (request.coef_init != nullptr) std::copy_n(request.coef_init, best_.size(), best_.begin());
    if (request.intercept_init != nullptr)
      std::copy_n(request.intercept_init, best_intercepts_.size(), best_intercepts_.begin());
    descent_.start(best_, best_intercepts_);
    if (request.state != nullptr) {
      Archive archive(request.state, request.state_size);
      transfer(archive);
    } else {
      limit_ = overflowing * objective_.loss(best_, best_intercepts_);
      if (!(limit_ > 0)) limit_ = infinity;  // no scale to compare with: only overflow tells
    }
    limit_ = std::max(limit_, overflowing * null_objective_);  // of other rows than the run has begun with
  }

  SgdResult run() {
    SgdResult result;
    control_.begin();
    result.stopping = run_epochs(result);
    result.n_steps = descent_.t() - 1;
    result.optimum = descent_.schedule().optimum();
    if (request_.keep_state) {
      Archive archive;
      transfer(archive);
      result.state = archive.release();
    }
    result.coef = best_;
    result.intercepts = best_intercepts_;
    if (!request_.validation || best_score_ == -infinity) descent_.read_result(result.coef, result.intercepts);
    return result;
  }

 private:
  static constexpr double overflowing = 1e6;  // times the loss at the start: no epoch goes on beyond

  std::string run_epochs(SgdResult& result) {
    while (result.n_iter < request_.options.max_iter) {
      if (control_.look()) return name_of(control_.reason());
      const bool is_finite = descent_.run_epoch(epoch_, limit_, control_);
      if (!is_finite || is_lost()) {
        restart();
        if (!(descent_.step_size() > 0)) return name_of(Stopping::no_progress);
        continue;
      }
      if (control_.stopped()) return name_of(control_.reason());
      ++epoch_;
      ++result.n_iter;
      const SgdEpoch entry = look();
      result.history.push_back(entry);
      const double score = request_.validation ? entry.score : -entry.objective;
      if (score > best_score_ && (request_.validation || !is_high())) keep_best(score);
      const bool is_over = descent_.schedule().end_epoch(entry.objective, score, descent_.t());
      if (request_.monitor && request_.monitor(entry)) return name_of(Stopping::callback);
      if (is_over && !is_high()) return "tol";
    }
    return name_of(Stopping::max_iter);
  }

  SgdEpoch look() {
    SgdEpoch entry;
    entry.epoch = static_cast<double>(epoch_);
    entry.loss = descent_.mean_loss();
    if (request_.options.is_exact) {
      Coefficients now = zeros();
      descent_.read(now.coef, now.intercepts);
      entry.loss = objective_.loss(now.coef, now.intercepts);
    }
    entry.objective = entry.loss + descent_.penalty();
    entry.step_size = descent_.step_size();
    entry.nonzeros = descent_.nonzeros();
    entry.restarts = restarts_;
    if (request_.validation) {
      const Coefficients now = present();
      entry.score = score_of(*request_.validation, now.coef, now.intercepts);
    }
    entry.seconds = control_.seconds();
    return entry;
  }

  struct Coefficients {
    std::vector<double> coef;
    std::vector<double> intercepts;
  };
  Coefficients zeros() const {
    return {std::vector<double>(best_.size()), std::vector<double>(best_intercepts_.size())};
  }
  // What the run would return.
  Coefficients present() const {
    Coefficients now = zeros();
    descent_.read_result(now.coef, now.intercepts);
    return now;
  }

  // Whether to begin again, judged by what the run would return: far above the null model nothing is worth keeping, and
  // what stays clearly above it for epochs neither converges nor explodes. It may do so for a while, as the long first
  // steps of a falling rate do. No lower than it would begin again it need not be: other rows may have led there. A
  // loss that is zero without a model knows no scale. The draws' losses are those of the way: where those of a block
  // are high, too, or rows are few, a pass over the rows tells.
  bool is_lost() {
    constexpr double high = 2;
    constexpr double hopeless = 10;
    constexpr double patience = 5;  // epochs
    constexpr std::size_t few = 4 * block_rows;
    const bool was_high = !(descent_.peak_loss() + descent_.penalty() <= high * null_objective_);
    double objective = 0;
    if (null_objective_ > 0 && (n_rows_ <= few || was_high)) {
      const Coefficients now = present();
      objective = objective_.value(now.coef, now.intercepts);
    }
    if (objective <= high * null_objective_ || objective <= objective_.value(best_, best_intercepts_)) {
      lowest_ = infinity;
      return false;
    }
    if (!(objective <= hopeless * null_objective_)) return true;
    waiting_ = objective < lowest_ ? 0 : waiting_ + 1;
    lowest_ = std::min(lowest_, objective);
    return waiting_ == patience;
  }
  bool is_high() const { return lowest_ < infinity; }

  // With validation rows the result itself, the average included; else where a restart begins.
  void keep_best(double score) {
    best_score_ = score;
    if (request_.validation) {
      descent_.read_result(best_, best_intercepts_);
    } else {
      descent_.read(best_, best_intercepts_);
    }
  }

  void restart() {
    descent_.start(best_, best_intercepts_);
    descent_.forget_average();
    descent_.schedule().halve();
    restarts_ += 1;
    lowest_ = infinity;
  }

  void transfer(Archive& archive) {
    archive.integer(epoch_);
    archive(limit_);
    archive(restarts_);
    archive(lowest_);
    archive(waiting_);
    archive(best_);
    archive(best_intercepts_);
    archive(best_score_);
    descent_.transfer(archive);
  }

  const SgdRequest& request_;
  Control control_;
  Descent<View> descent_;
  std::size_t n_rows_;
  SgdObjective<View> objective_;
  double null_objective_;
  std::uint64_t epoch_ = 0;
  double limit_ = infinity;
  double restarts_ = 0;
  double lowest_ = infinity;  // objective of the epochs in a row that were clearly above the null model
  double waiting_ = 0;        // epochs since it
  std::vector<double> best_;
  std::vector<double> best_intercepts_;
  double best_score_ = -infinity;
};

void check(const SgdRequest& request) {
  const SgdOptions& options = request.options;
  const auto require = [](bool holds, const char* message) {
    if (!holds) throw std::invalid_argument(message);
  };
  require(options.alpha >= 0 && std::isfinite(options.alpha), "alpha must be finite and not negative.");
  require(options.l1_ratio >= 0 && options.l1_ratio <= 1, "l1_ratio must lie in [0, 1].");
  require(options.batch_size >= 1, "batch_size must be at least 1.");
  require(options.n_passes >= 1, "n_passes must be at least 1.");
  require(options.max_iter >= 1, "max_iter must be at least 1.");
  require(options.clip == Clip::none || options.clip_limit > 0, "The limit of clip must be positive.");
  require(options.ball == Ball::none || options.radius > 0, "The radius of the ball must be positive.");
  require(options.n_classes != 1, "The multinomial loss needs two classes.");
}

void check_classes(const std::int32_t* classes, std::size_t n, std::size_t n_classes) {
  if ((classes != nullptr) != (n_classes > 0)) throw std::invalid_argument("The multinomial loss takes class numbers.");
  for (std::size_t i = 0; classes != nullptr && i < n; ++i) {
    if (classes[i] < 0 || static_cast<std::size_t>(classes[i]) >= n_classes)
      throw std::invalid_argument("class numbers must lie in [0, " + std::to_string(n_classes) + ").");
  }
}

template <class View>
SgdResult fit_view(const View& X, const SgdRequest& request) {
  if (X.n_rows == 0 || X.n_columns == 0) throw std::invalid_argument("X must have at least one row and one column.");
  check_csr(X);
  check_classes(request.classes, X.n_rows, request.options.n_classes);
  const double total = sum_weights(request.sample_weight, X.n_rows);
  double n_counted = 0;
  for (std::size_t i = 0; i < X.n_rows; ++i) {
    if (request.sample_weight == nullptr || request.sample_weight[i] > 0) n_counted += 1;
  }
  return Run<View>(request, {X, request.y, request.classes, request.sample_weight}, n_counted / total, n_counted).run();
}

}  // namespace

SgdResult fit_sgd(const SgdRequest& request) {
  check(request);
  if (request.validation) {
    std::visit([](const auto& X) { check_csr(X); }, request.validation->X);
    const bool fits = std::visit([](const auto& a, const auto& b) { return a.n_columns == b.n_columns; }, request.X,
                                 request.validation->X);
    std::visit([&](const auto& X) { check_classes(request.validation->classes, X.n_rows, request.options.n_classes); },
               request.validation->X);
    if (!fits) throw std::invalid_argument("The validation data must have as many features as X.");
  }
  return std::visit([&](const auto& X) { return fit_view(X, request); }, request.X);
}

}  // namespace finitesum
