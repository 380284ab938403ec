"""Where every optimizer goes on Beale's function, in a long valley and at a saddle point.

python docs/gallery/trajectories.py [FILE]      (needs the extra "plot")
"""

import sys

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.colors import LogNorm

from finitesum import Optimizer, demo

N_STEPS = 300
# x and y from where to where
WINDOWS = {
    "beale": ((0.0, 4.5), (-1.5, 1.5)),
    "valley": ((-11.0, 3.0), (-1.5, 1.5)),
    "saddle": ((-1.2, 1.0), (-0.4, 1.4)),
}


def draw(axes: plt.Axes, surface: demo.Surface) -> None:
    """Draw lines of equal height and a path for each rule."""
    (left, right), (low, high) = WINDOWS[surface.name]
    grid = np.stack(
        np.meshgrid(np.linspace(left, right, 300), np.linspace(low, high, 300)), axis=-1
    )
    height = surface.value(grid) - surface.value(np.array(surface.minimizers[0]))
    levels = np.geomspace(1e-3, height.max(), 18)
    axes.contour(
        *np.moveaxis(grid, -1, 0),
        height,
        levels=levels,
        norm=LogNorm(),
        cmap="Greys",
        linewidths=0.5,
    )
    colors = plt.get_cmap("tab20").colors
    for (rule, rate), color in zip(demo.LEARNING_RATES.items(), colors, strict=False):
        path = demo.trajectory(surface, Optimizer(rule, learning_rate=rate), N_STEPS)
        axes.plot(*path.T, color=color, linewidth=1.2, label=f"{rule}, {rate:g}")
        axes.plot(*path[-1], "o", color=color, markersize=4)
    axes.plot(*np.transpose(surface.minimizers), "k*", markersize=9)
    axes.plot(*surface.start, "ks", markersize=5)
    axes.set(xlim=(left, right), ylim=(low, high), title=surface.name)


def main() -> None:
    """Save the figure."""
    figure, panels = plt.subplots(1, 3, figsize=(15, 5), layout="constrained")
    for axes, surface in zip(panels, demo.SURFACES.values(), strict=True):
        draw(axes, surface)
    panels[0].legend(fontsize=7, title="rule, learning rate", title_fontsize=7)
    figure.suptitle(f"{N_STEPS} steps from the square; stars are minima")
    figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "trajectories.png", dpi=120)


if __name__ == "__main__":
    main()
