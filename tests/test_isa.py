"""The choice of the instruction set, and the guards that keep each set's code apart."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from finitesum import _core

ROOT = Path(__file__).parents[1]
KERNELS = ROOT / "cpp" / "kernels"
MARCH = {
    "v2": ("16 byte", ["-march=x86-64-v2"]),
    "v3": ("32 byte", ["-march=x86-64-v3"]),
    "v4": ("64 byte", ["-march=x86-64-v4", "-mprefer-vector-width=512"]),
}


def tool(name):
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"needs {name}")
    return path


def import_with(isa):
    return subprocess.run(
        [sys.executable, "-c", "from finitesum import _core; print(_core.isa())"],
        env={**os.environ, "FINITESUM_ISA": isa},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("isa", _core.available_isas())
def test_forced(isa):
    assert import_with(isa).stdout.strip() == isa


def test_empty_means_the_highest():
    assert import_with("").stdout.strip() == _core.available_isas()[-1]


@pytest.mark.parametrize("isa", ["v9", "V3", "avx2", "v3 "])
def test_unknown_is_an_error_that_names_the_choices(isa):
    finished = import_with(isa)
    assert finished.returncode != 0
    last_line = finished.stderr.strip().splitlines()[-1]
    assert last_line.startswith(f"ImportError: instruction set '{isa}' (FINITESUM_ISA)")
    assert all(f"'{choice}'" in last_line for choice in _core.available_isas())


def test_kernels_by_name():
    for isa in _core.available_isas():
        assert _core.kernels(isa).isa == isa
    with pytest.raises(RuntimeError, match="not available here; choose from"):
        _core.kernels("v9")


def compile_kernels(source, isa, output, *flags):
    """Compiler messages of one instruction set's object file."""
    command = [
        tool("g++"), "-std=c++17", "-O3", "-fopenmp-simd", "-ffp-contract=off", "-fno-math-errno",
        "-fno-trapping-math", "-fno-exceptions", "-fno-rtti", "-fPIC", *flags,
        f"-DFINITESUM_ISA={isa}", f"-I{ROOT / 'cpp'}", "-c", str(source), "-o", str(output),
    ]  # fmt: skip
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    return finished.stderr


def check_symbols(isa, output):
    return subprocess.run(
        [
            tool("cmake"), f"-DNM={tool('nm')}", f"-DISA={isa}", f"-DOBJECT={output}",
            "-P", str(ROOT / "cpp" / "cmake" / "CheckIsaSymbols.cmake"),
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


LEAKS = {
    "a standard template": """
        #include <vector>
        namespace finitesum::v2 { double leak(double x) {
          std::vector<double> v; v.push_back(x); return v.back(); } }""",
    "an inline function": """
        inline int leak(int x) { return x + 1; }
        namespace finitesum::v2 { namespace { [[gnu::used]] int (*use)(int) = leak; } }""",
}


@pytest.mark.parametrize("leak", LEAKS)
def test_symbol_check_fires_on_a_leak(tmp_path, leak):
    source, output = tmp_path / "leaking.cpp", tmp_path / "leaking.o"
    source.write_text(f'#include "kernels/kernels.cpp"\n{LEAKS[leak]}\n')
    compile_kernels(source, "v2", output, "-O0")
    finished = check_symbols("v2", output)
    assert finished.returncode != 0
    assert "export more than their table" in finished.stderr
    assert "leak" in finished.stderr


def test_symbol_check_fires_on_a_missing_table(tmp_path):
    source, output = tmp_path / "empty.cpp", tmp_path / "empty.o"
    source.write_text("")
    compile_kernels(source, "v2", output)
    finished = check_symbols("v2", output)
    assert finished.returncode != 0
    assert "do not export finitesum::v2::table" in finished.stderr


@pytest.mark.parametrize("optimization", ["-O0", "-O1"])
def test_symbol_check_passes_without_optimization(tmp_path, optimization):
    """Nothing relies on the optimizer to inline what must not be shared."""
    output = tmp_path / "kernels.o"
    compile_kernels(KERNELS / "kernels.cpp", "v2", output, optimization)
    finished = check_symbols("v2", output)
    assert finished.returncode == 0, finished.stderr


def vectorized(file, pragma_line, width, report):
    """Reports of the loop under a pragma; GCC names the loop's line or the first of its body."""
    lines = rf"(?:{pragma_line + 1}|{pragma_line + 2})"
    return re.findall(rf"{file}:{lines}:\d+: optimized: loop vectorized using {width}", report)


@pytest.mark.parametrize("isa", [isa for isa in _core.available_isas() if isa in MARCH])
def test_loops_are_vectorized(tmp_path, isa):
    """Each loop under the simd pragma, in each instance, at the level's full width."""
    width, march = MARCH[isa]
    report = compile_kernels(
        KERNELS / "kernels.cpp", isa, tmp_path / "kernels.o", *march, "-fopt-info-vec-optimized"
    )
    n_losses, n_dtypes = len(_core.loss_names()), 2
    # With and without L1, which full batches do not have; the compiler merges adamw with adam.
    rules = [_core.optimizer_defaults(name) for name in _core.optimizer_names() if name != "adamw"]
    n_updates = sum(1 if rule["full_batch"] else 2 for rule in rules)
    instances = {
        # of two indices' types: without and with L1; whole blocks and the last one
        "adagrad.inl": [n_dtypes * 2 * 2 * 2],
        # axpy; axpy_squares; step and step_l1; scaled; coupled_step
        "dense.inl": [n_dtypes, n_dtypes, 2 * n_dtypes, 2 * n_dtypes, n_dtypes],
        "losses.inl": [n_losses, n_losses],  # derivatives; curvatures
        "optimizers.inl": [n_dtypes * n_updates],
        # activations and their slopes (the identity is a copy); float32's sums; masks
        "network.inl": 2 * [4 * n_dtypes] + [1, n_dtypes, n_dtypes],
        # whole groups and the last one of: dots and norms; both sums, weighted or not
        "lanes.inl": 2 * [4 * n_dtypes + 4 * n_losses],
    }
    for file, expected in instances.items():
        lines = (KERNELS / file).read_text().splitlines()
        loops = [number for number, line in enumerate(lines, 1) if "#pragma omp simd" in line]
        found = [len(vectorized(file, loop, width, report)) for loop in loops]
        assert found == expected, file
    # Rows and planes take their formulas as functions, whose lines the compiler names instead: with
    # ReLU or without, three of sums (for eight rows and for one; in planes by eight groups of
    # lanes, which are unrolled, and by one; these into the sums; ends) and four of results (in
    # rows and in planes, each for whole lines and for pieces that pass the caches by).
    formulas = re.findall(rf"batch_norm.inl:.* optimized: loop vectorized using {width}", report)
    assert len(formulas) == n_dtypes * (3 * (2 + (8 + 1) + 2 + 1) + 4 * 4)


@pytest.mark.parametrize("path", sorted(KERNELS.glob("*")), ids=lambda path: path.name)
def test_kernel_files_include_no_standard_library(path):
    headers = re.findall(r"#include <(.*)>", path.read_text())
    assert set(headers) <= {"cstddef", "cstdint"}
