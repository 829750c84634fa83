"""llama.cpp's C interface, out of one of two packages.

xllamacpp is a wheel that contains the whole library, for processors with AVX2. Its symbols are public; the declarations
come from llama-cpp-py-sync of the same week, whose own library requires a newer C library than Debian 12 has. It is
installed in seconds and serves to compare numbers.

llama-cpp-python is built for the processor at hand, which takes many minutes. It serves to compare speed, and is taken
where it is installed.
"""

import ctypes
import sys
from pathlib import Path

import numpy as np

ERROR = 4  # GGML_LOG_LEVEL_ERROR


def report(level, text):
    if level == ERROR:
        print(text.decode(errors="replace"), end="", file=sys.stderr)


try:
    import llama_cpp as lib

    @lib.llama_log_callback
    def log(level, text, _):
        report(level, text)

    NO_DATA = ctypes.c_void_p(0)

    def floats(pointer, count):
        """float32 [count] at a pointer, not copied."""
        return np.ctypeslib.as_array(pointer, shape=(count,))

    def tokens_at(array):
        """A pointer to the numbers of an int32 array."""
        return array.ctypes.data_as(ctypes.POINTER(lib.llama_token))

except ImportError:
    if " avx2 " not in Path("/proc/cpuinfo").read_text():
        sys.exit("xllamacpp's llama.cpp requires a processor with AVX2, and this one has none")
    import xllamacpp.xllamacpp
    from llama_cpp_py_sync._cffi_bindings import ffi

    lib = ffi.dlopen(xllamacpp.xllamacpp.__file__)

    @ffi.callback("void(enum ggml_log_level, const char *, void *)")
    def log(level, text, _):
        report(level, ffi.string(text))

    NO_DATA = ffi.NULL

    def floats(pointer, count):
        """float32 [count] at a pointer, not copied."""
        return np.frombuffer(ffi.buffer(pointer, 4 * count), np.float32)

    def tokens_at(array):
        """A pointer to the numbers of an int32 array."""
        return ffi.from_buffer("llama_token[]", array)


def start():
    """Once, before all else."""
    lib.llama_log_set(log, NO_DATA)
    lib.llama_backend_init()
