"""Batch normalization of arrays: forward, gradients, and statistics for inference.

For m numbers x_i per channel, with mean mu and biased variance v, or those given for inference:

    xhat_i = (x_i - mu) / sqrt(v + eps),  y_i = gamma xhat_i + beta

and, for the gradient dy of a loss in y,

    dbeta = sum_i dy_i,  dgamma = sum_i dy_i xhat_i,
    dx_i = gamma / sqrt(v + eps) (dy_i - dbeta / m - xhat_i dgamma / m)

where for inference the last two terms are absent. With `relu=True` y is max(y, 0) of this, and dy
counts where y is not zero. Sums are float64, and no number depends on the number of threads.

References
----------
.. [1] Ioffe, Szegedy, Batch normalization, ICML 2015 (arXiv:1502.03167), Algorithms 1 and 2.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from finitesum import _core

__all__ = ["BatchNormCache", "batch_norm", "batch_norm_backward", "population_statistics"]

_DTYPES = (np.dtype(np.float32), np.dtype(np.float64))


@dataclass(eq=False, slots=True)
class BatchNormCache:
    """What `batch_norm_backward` needs of a call of `batch_norm`: views, no copies.

    Attributes
    ----------
    x : ndarray of shape (n_samples, n_channels, ...)
        The input itself, not a copy: it must stay as it is until the backward pass.
    gamma, beta : ndarray of shape (n_channels,) or None
        As given, likewise not copied.
    mean, variance : ndarray of shape (n_channels,), float64
        What x was normalized with. In training these are the batch's, the variance the biased one.
    eps, relu, training, n_threads
        As given.
    """

    x: NDArray[Any]
    gamma: NDArray[Any] | None
    beta: NDArray[Any] | None
    mean: NDArray[np.float64]
    variance: NDArray[np.float64]
    eps: float
    relu: bool
    training: bool
    n_threads: int | None


def batch_norm(
    x: NDArray[Any],
    gamma: NDArray[Any] | None = None,
    beta: NDArray[Any] | None = None,
    *,
    running_mean: NDArray[Any] | None = None,
    running_var: NDArray[Any] | None = None,
    training: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
    relu: bool = False,
    out: NDArray[Any] | None = None,
    n_threads: int | None = None,
) -> tuple[NDArray[Any], BatchNormCache]:
    """Normalize each channel, scale, shift and, if asked for, apply ReLU.

    Parameters
    ----------
    x : ndarray of shape (n_samples, n_channels, ...), float32 or float64
        C-contiguous; as (n_samples, n_channels) or, say, (n_samples, n_channels, height, width).
    gamma : ndarray of shape (n_channels,) and the dtype of x, default=None
        Scale; None means ones.
    beta : ndarray of shape (n_channels,) and the dtype of x, default=None
        Shift; None means zeros.
    running_mean, running_var : ndarray of shape (n_channels,) and the dtype of x, default=None
        In training, if given, changed in place to (1 - momentum) * running + momentum * batch, for
        which the batch's variance is the unbiased one, as in PyTorch. For inference what x is
        normalized with.
    training : bool, default=True
        Whether to normalize with the mean and the biased variance of x.
    momentum : float, default=0.1
        Weight of this batch in the running statistics, within [0, 1].
    eps : float, default=1e-5
        Added to the variance; positive.
    relu : bool, default=False
        Whether y is max(y, 0), in the same sweep.
    out : ndarray of the shape and dtype of x, default=None
        Where y goes; must not overlap x, which the backward pass reads.
    n_threads : int, default=None
        Threads for arrays of more than 65536 numbers; None takes what OpenMP would. The numbers do
        not depend on it.

    Returns
    -------
    y : ndarray of the shape and dtype of x
        `out` if given.
    cache : BatchNormCache
        For `batch_norm_backward`; holds x and the statistics.

    Raises
    ------
    ValueError
        If an array has another shape, dtype or layout, x is empty or, in training, has one number
        per channel, running statistics are missing, or a number is out of range.

    References
    ----------
    Ioffe, Szegedy, ICML 2015, Algorithm 1; NaN spreads over its channel in training.

    Examples
    --------
    >>> import numpy as np
    >>> from finitesum import batch_norm, batch_norm_backward
    >>> y, cache = batch_norm(np.array([[1.0, 10.0], [3.0, 30.0]]))
    >>> y.round(3)
    array([[-1.,  -1.],
           [ 1.,   1.]])
    >>> dx, dgamma, dbeta = batch_norm_backward(np.ones((2, 2)), cache)
    >>> dbeta
    array([2., 2.])
    """
    _check_batch("x", x)
    if x.ndim < 2 or x.size == 0:
        raise ValueError(
            f"x must have the shape (n_samples, n_channels, ...) without zeros, got {x.shape}"
        )
    for label, values in (
        ("gamma", gamma),
        ("beta", beta),
        ("running_mean", running_mean),
        ("running_var", running_var),
    ):
        if values is not None:
            _check_like(label, values, x, x.shape[1:2])
    if (running_mean is None) != (running_var is None):
        raise ValueError("running_mean and running_var must be given together")
    if not 0.0 < eps < np.inf:
        raise ValueError(f"eps must be positive and finite, got {eps}")
    if not 0.0 <= momentum <= 1.0:
        raise ValueError(f"momentum must be between 0 and 1, got {momentum}")
    if n_threads is not None and n_threads < 1:
        raise ValueError(f"n_threads must be at least 1, got {n_threads}")
    if out is None:
        y = np.empty(x.shape, x.dtype)
    else:
        _check_out(out, x)
        y = out
    threads = n_threads or 0
    if training:
        if x.size == x.shape[1]:
            raise ValueError(
                f"x must have more than one number per channel in training, got {x.shape}"
            )
        if running_mean is not None and running_var is not None:
            _check_writeable("running_mean", running_mean)
            _check_writeable("running_var", running_var)
        mean, variance = _core.batch_norm_training(
            x, gamma, beta, running_mean, running_var, momentum, eps, relu, y, threads
        )
    elif running_mean is None or running_var is None:
        raise ValueError("running_mean and running_var are needed if training is False")
    else:
        mean, variance = running_mean.astype(np.float64), running_var.astype(np.float64)
        _core.batch_normalize(x, mean, variance, gamma, beta, eps, relu, y, threads)
    return y, BatchNormCache(x, gamma, beta, mean, variance, eps, relu, training, n_threads)


def batch_norm_backward(
    dy: NDArray[Any], cache: BatchNormCache, *, out: NDArray[Any] | None = None
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Gradients of a loss in the arguments of `batch_norm`.

    Parameters
    ----------
    dy : ndarray of the shape and dtype of x
        Gradient of the loss in y, C-contiguous.
    cache : BatchNormCache
        What `batch_norm` returned; its arrays must be as they were.
    out : ndarray of the shape and dtype of x, default=None
        Where dx goes; may be dy itself, but must not otherwise overlap it, nor x. Large new
        arrays cost as much as the sweeps: their pages are cleared by the system first.

    Returns
    -------
    dx : ndarray of the shape and dtype of x
        After training through the batch's statistics, too; after inference these are constants.
    dgamma, dbeta : ndarray of shape (n_channels,) and the dtype of x
        Also where gamma or beta was None.

    Raises
    ------
    ValueError
        If dy or out has another shape, dtype or layout than x, or out overlaps what is read.

    References
    ----------
    Ioffe, Szegedy, ICML 2015, section 3.
    """
    x = cache.x
    _check_like("dy", dy, x, x.shape)
    if out is None:
        dx = np.empty(x.shape, x.dtype)
    else:
        _check_out(out, x)
        if out is not dy and np.may_share_memory(out, dy):
            raise ValueError("out must not overlap dy other than as dy itself")
        dx = out
    dgamma, dbeta = np.empty(x.shape[1], x.dtype), np.empty(x.shape[1], x.dtype)
    _core.batch_norm_gradients(
        x,
        dy,
        cache.mean,
        cache.variance,
        cache.gamma,
        cache.beta,
        cache.eps,
        cache.relu,
        cache.training,
        dx,
        dgamma,
        dbeta,
        cache.n_threads or 0,
    )
    return dx, dgamma, dbeta


def population_statistics(
    means: ArrayLike, variances: ArrayLike, sizes: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and variance for inference from those of training batches.

    For batches of one size m these are the average of the means and m / (m - 1) times the average
    of the biased variances [1]_. The paper leaves open what a shorter last batch counts: here a
    mean counts by m and an unbiased variance by m - 1, which keeps both unbiased.

    Parameters
    ----------
    means, variances : array-like of shape (n_batches, n_channels)
        Of each batch; the variances biased, as in `BatchNormCache`.
    sizes : array-like of shape (n_batches,), or int
        Numbers per channel in each batch, at least 2: samples times what follows the channels.

    Returns
    -------
    mean, variance : ndarray of shape (n_channels,), float64
        To be given, in the dtype of x, as `running_mean` and `running_var`.

    Raises
    ------
    ValueError
        If the shapes differ, there is no batch, or a size is below 2.

    References
    ----------
    .. [1] Ioffe, Szegedy, ICML 2015, Algorithm 2.

    Examples
    --------
    >>> from finitesum import population_statistics
    >>> population_statistics([[1.0], [3.0]], [[3.5], [3.5]], 8)
    (array([2.]), array([4.]))
    """
    mean, variance = np.asarray(means, np.float64), np.asarray(variances, np.float64)
    if mean.ndim != 2 or mean.size == 0 or mean.shape != variance.shape:
        raise ValueError(
            "means and variances must have the same shape (n_batches, n_channels), "
            f"got {mean.shape} and {variance.shape}"
        )
    m = np.asarray(sizes, np.float64)
    if m.shape not in ((), mean.shape[:1]):
        raise ValueError(f"sizes must have the shape ({len(mean)},), got {m.shape}")
    if not np.all(m >= 2):
        raise ValueError("sizes must be at least 2: one number has no variance")
    m = np.broadcast_to(m, mean.shape[:1])
    return m @ mean / m.sum(), m @ variance / (m - 1.0).sum()


def _check_batch(label: str, array: NDArray[Any]) -> None:
    if not isinstance(array, np.ndarray) or array.dtype not in _DTYPES:
        raise ValueError(f"{label} must be an array of float32 or float64")
    if not array.flags.c_contiguous:
        raise ValueError(f"{label} must be C-contiguous")


def _check_like(label: str, array: NDArray[Any], x: NDArray[Any], shape: tuple[int, ...]) -> None:
    _check_batch(label, array)
    if array.shape != shape or array.dtype != x.dtype:
        raise ValueError(
            f"{label} must have the shape {shape} and the dtype {x.dtype} of x, "
            f"got {array.shape} {array.dtype}"
        )


def _check_out(out: NDArray[Any], x: NDArray[Any]) -> None:
    _check_like("out", out, x, x.shape)
    _check_writeable("out", out)
    if np.may_share_memory(out, x):
        raise ValueError("out must not overlap x, which the backward pass reads")


def _check_writeable(label: str, array: NDArray[Any]) -> None:
    if not array.flags.writeable:
        raise ValueError(f"{label} must be writeable: it is changed in place")
