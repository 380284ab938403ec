"""What the two estimators share: parameters, a fit, what it leaves behind."""

import copy
import warnings
from abc import abstractmethod
from contextlib import nullcontext
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._tags import Tags
from sklearn.utils.validation import check_is_fitted, validate_data
from threadpoolctl import threadpool_limits

from finitesum import _core
from finitesum._validation import (
    FLOAT_DTYPES,
    core_matrix,
    draw_seed,
    sample_weights,
    total_weight,
)
from finitesum.linear._progress import open_progress
from finitesum.neural._architecture import (
    RANDOM,
    Layers,
    check_rate,
    check_warmup,
    hidden_layers,
    multilayer,
    normalized,
    own_layers,
)
from finitesum.neural._constraints import CONSTRAINTS
from finitesum.neural._folding import folded
from finitesum.neural._initialization import check_scheme, initialize
from finitesum.neural._lbfgs import minimize_by_lbfgs
from finitesum.neural._network import Network
from finitesum.neural._training import Plan, Progress, Rows, Score, run_epochs
from finitesum.sgd._options import limited, optimizer_options

Target = tuple[str, NDArray[Any], int]  # the loss, targets and number of outputs
# Attributes that L-BFGS, without epochs, does not set, as in scikit-learn.
OF_EPOCHS = (
    "loss_curve_", "best_loss_", "validation_scores_", "best_validation_score_", "history_",
    "stopping_",
)  # fmt: skip


def takes_batches(self: "MultilayerPerceptron") -> bool:
    """Tell whether there is a `partial_fit`."""
    if not self._is_by_lbfgs():
        return True
    raise AttributeError("partial_fit is only available for stochastic optimizers.")


class MultilayerPerceptron(BaseEstimator):  # type: ignore[misc]  # untyped base
    """Base of the estimators; a subclass states its targets and its score."""

    n_iter_: int
    layers: Any
    optimizer: str | None
    solver: str
    _network: Network
    _progress: Progress

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = CONSTRAINTS

    @abstractmethod
    def _validated(self, X: Any, y: Any, reset: bool) -> tuple[Any, NDArray[Any]]: ...

    @abstractmethod
    def _target(self, y: NDArray[Any]) -> Target: ...

    @abstractmethod
    def _validation_score(
        self, predictions: NDArray[Any], y: NDArray[Any], weight: NDArray[np.float64] | None
    ) -> float: ...

    # What is asked for

    def _check_parameters(self) -> Layers:
        """Check all parameters; return the layers that they ask for, all but the last."""
        self._validate_params()
        check_scheme(self.weight_init)
        check_rate("input_dropout", self.input_dropout)
        limited("clip", self.clip, ("value", "norm"))
        rule, options = self._optimizer()
        if rule != "whitening":
            _core.Optimizer(rule, options, l1=self.alpha * self.l1_ratio)  # not all take L1
        elif self.clip is not None:
            raise ValueError("optimizer='whitening' takes no clip: see its option normalize.")
        layers = multilayer(
            hidden_layers(
                self.hidden_layer_sizes, self.batch_norm, self.dropout, self.drop_connect
            ),
            activation=self.activation,
            bn_position=self.bn_position,
            input_dropout=self.input_dropout,
            input_noise=self.input_noise,
            max_norm=self.max_norm,
        )
        if self.layers is not None:
            layers = own_layers(self.layers, self.get_params(deep=False))
        if self.warmup_bn_epochs > 0:
            check_warmup(layers)
        if self._is_by_lbfgs():
            if any(kind in RANDOM for kind, _ in layers) or self.l1_ratio > 0 or self.max_norm:
                raise ValueError(
                    "solver='lbfgs' takes no dropout, no noise, no L1 and no max_norm."
                )
            for name in ("augment", "callbacks", "clip", "schedule", "warmup_bn_epochs"):
                if getattr(self, name):
                    raise ValueError(f"solver='lbfgs' has no epochs and takes no {name}.")
        return layers

    def _is_by_lbfgs(self) -> bool:
        return self.solver == "lbfgs" and self.optimizer is None

    def _optimizer(self) -> tuple[str, dict[str, Any]]:
        """Rule and hyper-parameters; scikit-learn's solvers are two of the rules."""
        if self.optimizer is not None:
            return self.optimizer, optimizer_options(self.optimizer, self.optimizer_options)
        if self.optimizer_options is not None:
            raise ValueError("optimizer_options needs optimizer; solver has its own parameters.")
        if self.solver != "sgd":
            return "adam", {
                "beta1": float(self.beta_1),
                "beta2": float(self.beta_2),
                "eps": float(self.epsilon),
            }
        if self.momentum == 0:
            return "sgd", {}
        return "nesterov" if self.nesterovs_momentum else "momentum", {
            "momentum": float(self.momentum)
        }

    def _plan(self, n_samples: int, max_iter: int | None) -> Plan:
        batch_size = 200 if self.batch_size == "auto" else int(self.batch_size)
        if self.batch_size != "auto" and batch_size > n_samples:
            warnings.warn(
                "Got `batch_size` less than 1 or larger than sample size. It is going to be "
                "clipped",
                stacklevel=4,
            )
        follows_rate = self.optimizer is not None or self.solver == "sgd"
        callbacks = self.callbacks
        l2, l1 = self.alpha * (1.0 - self.l1_ratio), self.alpha * self.l1_ratio
        decoupled = self.optimizer == "adamw"
        return Plan(
            batch_size=min(batch_size, n_samples),
            max_iter=max_iter or 1,
            shuffle=bool(self.shuffle),
            learning_rate=self.learning_rate if follows_rate else "constant",
            rate=float(self.learning_rate_init),
            power_t=float(self.power_t),
            schedule=self.schedule,
            decay={
                "l2": 0.0 if decoupled else float(l2),
                "l1": float(l1),
                "decoupled": float(l2) if decoupled else 0.0,
            },
            clip=limited("clip", self.clip, ("value", "norm")),
            tol=float(self.tol),
            n_iter_no_change=float(self.n_iter_no_change),
            monitor=self.monitor,
            restore_best=bool(self.restore_best),
            population=self.bn_stats == "population",
            warmup=int(self.warmup_bn_epochs),
            augment=self.augment,
            callbacks=[]
            if callbacks is None
            else [callbacks]
            if callable(callbacks)
            else callbacks,
            n_threads=int(self.n_threads or 0),
            keeps_interrupted=max_iter is not None,
        )

    def _new_network(
        self, layers: Layers, n_features: int, target: Target, dtype: Any, seed: int
    ) -> Network:
        head, _, n_outputs = target
        inputs = (n_features,) if self.input_shape is None else tuple(self.input_shape)
        whole = all(size >= 1 and size % 1 == 0 for size in inputs)
        if not whole or np.prod(inputs) != n_features:
            raise ValueError(
                f"input_shape={self.input_shape!r} does not fit X, which has {n_features} features."
            )
        return Network(
            tuple(map(int, inputs)),
            [*layers, ("dense", {"n_outputs": n_outputs})],
            head,
            self._optimizer(),
            label_smoothing=float(getattr(self, "label_smoothing", 0.0)),
            seed=seed,
            dtype=self.dtype or dtype,
        )

    # The fit

    def _fit(
        self,
        X: Any,
        y: NDArray[Any],
        target: Target,
        weight: NDArray[np.float64] | None,
        layers: Layers,
        validation: tuple[Rows, NDArray[Any]] | None,
        *,
        goes_on: bool,
        max_iter: int | None,
    ) -> None:
        """Fit a network to validated data and set the attributes, unless something raises.

        ``max_iter=None`` is one epoch of partial_fit, whose caller Ctrl-C is meant for.
        """
        total_weight(weight, X.shape[0])
        progress = self._progress.copy() if goes_on else Progress(draw_seed(self.random_state))
        dtype = self._network.dtype if goes_on else X.dtype
        if progress.n_epochs < self.warmup_bn_epochs:
            layers = normalized(layers)
        network = self._new_network(layers, X.shape[1], target, dtype, progress.seed)
        if goes_on:
            network.take_over(self._network)
        else:
            initialize(network, self.weight_init, progress.seed, self.activation)
        training = Rows(X, target[1], weight, np.arange(X.shape[0]))
        with nullcontext() if self.n_threads is None else threadpool_limits(self.n_threads, "blas"):
            if self._is_by_lbfgs():
                self._minimize(network, training, progress)
            else:
                if validation is None and self.early_stopping:
                    stratify = y if self._stratifies(y) else None
                    training, held = training.split(
                        self.validation_fraction, progress.seed, stratify
                    )
                    validation = held, y[held.rows]
                self._run(network, training, progress, validation, max_iter)
        if not np.isfinite(network.core.flat_parameters).all():
            raise ValueError(
                "Solver produced non-finite parameter weights. The input data may contain large "
                "values and need to be preprocessed."
            )
        self._network, self._progress = network, progress
        self.n_outputs_ = target[2]
        self.n_layers_ = len(self.coefs_) + 1
        self.out_activation_ = {
            "softmax": "softmax", "logistic": "logistic", "squared": "identity", "poisson": "exp",
        }[target[0]]  # fmt: skip

    def _run(
        self,
        network: Network,
        training: Rows,
        progress: Progress,
        validation: tuple[Rows, NDArray[Any]] | None,
        max_iter: int | None,
    ) -> None:
        plan = self._plan(len(training.rows), max_iter)
        if plan.batch_size < 2 and network.places("batch_norm"):
            raise ValueError("batch_norm needs batches of more than one sample.")

        validate = None if validation is None else self._judge_of(*validation)
        before = progress.n_epochs
        with open_progress(int(self.verbose), plan.max_iter, 1) as show:
            self.stopping_ = run_epochs(network, training, plan, progress, validate, show)
        self.n_iter_ = progress.n_epochs - before
        self.t_ = progress.n_seen
        self.history_ = {name: np.array(values) for name, values in progress.history.items()}
        self.loss_curve_ = list(progress.history.get("loss", []))
        self.loss_ = self.loss_curve_[-1] if self.loss_curve_ else np.nan
        scores = progress.history.get("val_score")
        self.validation_scores_ = None if scores is None else list(scores)
        self.best_validation_score_ = None if scores is None else max(scores)
        self.best_loss_ = min(self.loss_curve_) if scores is None and self.loss_curve_ else None

    def _judge_of(self, held: Rows, y: NDArray[Any]) -> Score:
        """Give what scores a network by held-out rows."""
        matrix = core_matrix(held.X)
        weight = None if held.weight is None else held.weight[held.rows]
        total = held.total_weight()

        def score(network: Network) -> tuple[float, float]:
            found, loss = network.core.evaluate(matrix, held.targets, held.weight, held.rows)
            return self._validation_score(found, y, weight), loss / total

        return score

    def _minimize(self, network: Network, training: Rows, progress: Progress) -> None:
        progress.go_on(network, "objective")
        self.loss_, self.n_iter_ = minimize_by_lbfgs(
            network,
            training,
            alpha=float(self.alpha),
            tol=float(self.tol),
            max_iter=int(self.max_iter),
            max_fun=int(self.max_fun),
        )
        self.t_ = progress.n_seen
        for name in OF_EPOCHS:
            self.__dict__.pop(name, None)  # of another solver's fit before
        if network.places("batch_norm"):
            network.core.collect(core_matrix(training.X), training.rows, len(training.rows))

    def _stratifies(self, y: NDArray[Any]) -> bool:
        return False

    def _held(self, given: Any, target: Target) -> tuple[Rows, NDArray[Any]] | None:
        """Validate ``validation_data``, whose targets must be of the kind of those to learn."""
        if given is None:
            return None
        if self._is_by_lbfgs():
            raise ValueError("solver='lbfgs' has no epochs and takes no validation_data.")
        if not (isinstance(given, tuple | list) and len(given) in (2, 3)):
            raise ValueError("validation_data must be (X, y) or (X, y, sample_weight).")
        X, y = self._validated(given[0], given[1], reset=False)
        head, targets, n_outputs = self._target(y)
        if (head, n_outputs) != (target[0], target[2]):
            raise ValueError("validation_data needs as many outputs, of the same kind, as y.")
        weight = sample_weights(given[2] if len(given) == 3 else None, X)
        total_weight(weight, X.shape[0])
        return Rows(X, targets, weight, np.arange(X.shape[0])), y

    def _warn_unless_stopped(self) -> None:
        if getattr(self, "stopping_", None) == "max_iter" and self.n_iter_ == self.max_iter:
            warnings.warn(
                f"Stochastic Optimizer: Maximum iterations ({self.max_iter}) reached and the "
                "optimization hasn't converged yet.",
                ConvergenceWarning,
                stacklevel=3,
            )

    # What it leaves behind

    @property
    def coefs_(self) -> list[NDArray[Any]]:
        """Weights of each layer, (units before, units behind): views of the network's."""
        return [array for _, name, array in self._network.core.parameters if name == "weights"]

    @property
    def intercepts_(self) -> list[NDArray[Any]]:
        """Biases of each layer, zeros where batch normalization stands in their place."""
        arrays = map(self._network.arrays, range(len(self._network.layers)))
        weighted = [each for each in arrays if "weights" in each]
        return [each.get("bias", np.zeros(each["weights"].shape[1])) for each in weighted]

    def _outputs(self, X: Any, *, raw: bool = False) -> NDArray[Any]:
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", dtype=FLOAT_DTYPES, order="C", reset=False)
        return self._network.predict(core_matrix(X), X.shape[0], raw=raw)

    def fold_batchnorm(self) -> Self:
        """Give a copy without batch normalization and noise that predicts the same.

        gamma (z - mean) / sqrt(variance + eps) + beta is a linear map of each unit: it becomes
        part of the weights and biases before it, or, where an activation lies between, behind it.

        Returns
        -------
        estimator : object
            A fitted estimator of the same class, for predictions; its training begins anew.
        """
        check_is_fitted(self)
        plain: Self = copy.copy(self).set_params(
            batch_norm=False, warmup_bn_epochs=0,
            dropout=0.0, drop_connect=0.0, input_dropout=0.0, input_noise=0.0,
        )  # fmt: skip
        plain._network = folded(self._network)
        plain._progress = Progress(self._progress.seed)
        if self.layers is not None:
            plain.layers = plain._network.layers[:-1]
        return plain

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
