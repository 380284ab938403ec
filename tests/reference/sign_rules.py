"""Rprop+, iRprop- and QuickProp as their papers tell them: one coordinate, one branch at a time."""

import numpy as np


def clamped(step, growth, shrinkage, smallest, largest, agreement):
    if agreement > 0:
        return min(step * growth, largest)
    return max(step * shrinkage, smallest) if agreement < 0 else step


def sign(x):
    return np.sign(x)


def rprop(w, g, s, lr, k, growth=1.2, shrinkage=0.5, smallest=1e-6, largest=50.0):
    agreement = s.get("g", 0.0) * g
    s["step"] = clamped(s.get("step", lr), growth, shrinkage, smallest, largest, agreement)
    if agreement < 0:
        move, s["g"] = -s["move"], 0.0  # back to where it was
        s["move"] = 0.0
    else:
        move = s["move"] = -sign(g) * s["step"]
        s["g"] = g
    return w + move


def irprop(w, g, s, lr, k, growth=1.2, shrinkage=0.5, smallest=1e-6, largest=50.0):
    agreement = s.get("g", 0.0) * g
    s["step"] = clamped(s.get("step", lr), growth, shrinkage, smallest, largest, agreement)
    s["g"] = 0.0 if agreement < 0 else g
    return w - sign(s["g"]) * s["step"]


def quickprop(w, g, s, lr, k, growth=1.75):
    last, before = s.get("move", 0.0), s.get("g", 0.0)
    if last == 0:
        move = -lr * g
    else:
        downhill, downhill_before = (-g, -before) if last > 0 else (g, before)
        if downhill >= growth / (1 + growth) * downhill_before:
            move = growth * last
        elif downhill == downhill_before:
            move = 0.0
        else:
            jump = last * downhill / (downhill_before - downhill)
            move = max(-growth * abs(last), min(jump, growth * abs(last)))
        if downhill > 0:
            move -= lr * g
    s["g"], s["move"] = g, move
    return w + move
