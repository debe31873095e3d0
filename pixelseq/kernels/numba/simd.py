"""A vector register for Numba: LANES numbers that are loaded, computed with and stored as one.

Numba leaves vectorising to LLVM, which keeps no accumulator in registers across a loop and handles short rows of
features number by number. With registers as values a kernel says what stays where. LLVM maps them to what the CPU has:
8 float32 are one AVX2 register or two of NEON, 16 are one AVX-512 register.
"""

from __future__ import annotations

import operator
from typing import Any

from llvmlite import binding, ir
from numba.core import cgutils, types
from numba.core.datamodel import models, register_default
from numba.core.imputils import lower_builtin
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic

LANES = 16 if binding.get_host_cpu_features().get("avx512f", False) else 8
"""Numbers in a vector. Kernels keep up to 14 vectors at hand, which AVX2's 16 registers hold if each is one of them."""


class Vector(types.Type):
    """The Numba type of LANES numbers of one float type."""

    def __init__(self, dtype: types.Float) -> None:
        self.dtype = dtype
        super().__init__(name=f"Vector({dtype})")


@register_default(Vector)
class VectorModel(models.PrimitiveModel):
    """Represents a vector as an LLVM vector."""

    def __init__(self, dmm: Any, fe_type: Vector) -> None:
        super().__init__(dmm, fe_type, ir.VectorType(dmm.lookup(fe_type.dtype).get_value_type(), LANES))


@intrinsic
def load(typingctx: Any, array: Any, start: Any) -> Any:
    """Loads LANES numbers of a contiguous array, from its flat index `start`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.load(_vector_pointer(context, builder, sig, args), align=array.dtype.bitwidth // 8)

    return Vector(array.dtype)(array, types.intp), codegen


@intrinsic
def store(typingctx: Any, array: Any, start: Any, vector: Any) -> Any:
    """Writes a vector to a contiguous array, from its flat index `start`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pointer = _vector_pointer(context, builder, sig, args)
        builder.store(args[2], pointer, align=array.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(array, types.intp, vector), codegen


@intrinsic
def broadcast(typingctx: Any, array: Any, index: Any) -> Any:
    """Gives LANES copies of the number at flat `index` of a contiguous array."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        data = context.make_array(sig.args[0])(context, builder, args[0]).data
        return _splat(builder, builder.load(builder.gep(data, [args[1]])))

    return Vector(array.dtype)(array, types.intp), codegen


@intrinsic
def constant(typingctx: Any, like: Any, value: Any) -> Any:
    """Gives LANES copies of a float, in the type of the vector `like`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _splat(builder, context.cast(builder, args[1], value, like.dtype))

    return like(like, value), codegen


@intrinsic
def fma(typingctx: Any, a: Any, b: Any, c: Any) -> Any:
    """Gives a * b + c, rounded once."""
    return a(a, b, c), _llvm("llvm.fma", a)


@intrinsic
def absolute(typingctx: Any, a: Any) -> Any:
    """Gives |a|."""
    return a(a), _llvm("llvm.fabs", a)


@intrinsic
def with_sign(typingctx: Any, a: Any, b: Any) -> Any:
    """Gives |a| with the sign of b."""
    return a(a, b), _llvm("llvm.copysign", a)


@intrinsic
def where_greater(typingctx: Any, a: Any, b: Any, x: Any, y: Any) -> Any:
    """Gives x where a > b, and y elsewhere, also where a or b is NaN."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.select(builder.fcmp_ordered(">", args[0], args[1]), args[2], args[3])

    return x(a, b, x, y), codegen


@intrinsic
def round_shift(typingctx: Any, like: Any) -> Any:
    """Gives 1.5 times 2 to the number of mantissa bits: what is added to it is rounded to a whole number."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        bits = _mantissa_bits(like.dtype)
        return _splat(builder, ir.Constant(args[0].type.element, 1.5 * 2.0**bits))

    return like(like), codegen


@intrinsic
def power_of_two(typingctx: Any, shifted: Any) -> Any:
    """Gives 2 ** n from n + `round_shift`: n stands in the low bits of the mantissa and is moved to the exponent."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        width, bits = shifted.dtype.bitwidth, _mantissa_bits(shifted.dtype)
        integers = ir.VectorType(ir.IntType(width), LANES)
        one = {32: 127 << 23, 64: 1023 << 52}[width]  # the bits of 1.0
        n = builder.shl(builder.bitcast(args[0], integers), ir.Constant(integers, [bits] * LANES))
        return builder.bitcast(builder.add(n, ir.Constant(integers, [one] * LANES)), args[0].type)

    return shifted(shifted), codegen


def _mantissa_bits(dtype: types.Float) -> int:
    return {32: 23, 64: 52}[dtype.bitwidth]


def _vector_pointer(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    array = sig.args[0]
    vector = ir.VectorType(context.get_value_type(array.dtype), LANES)
    data = context.make_array(array)(context, builder, args[0]).data
    return builder.bitcast(builder.gep(data, [args[1]]), vector.as_pointer())


def _splat(builder: Any, scalar: Any) -> Any:
    vector = ir.VectorType(scalar.type, LANES)
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), scalar, ir.Constant(ir.IntType(32), 0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return builder.shuffle_vector(first, ir.Constant(vector, ir.Undefined), zeros)


def _llvm(name: str, vector: Any) -> Any:
    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        suffix = f"v{LANES}f{vector.dtype.bitwidth}"
        kind = ir.FunctionType(args[0].type, [arg.type for arg in args])
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, f"{name}.{suffix}"), args)

    return codegen


def _operator(operation: Any, method: str) -> None:
    class Template(AbstractTemplate):
        def generic(self, args: Any, kws: Any) -> Any:
            if len(args) == 2 and isinstance(args[0], Vector) and args[0] == args[1]:
                return signature(args[0], *args)
            return None

    infer_global(operation)(Template)

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return getattr(builder, method)(*args)

    lower_builtin(operation, Vector, Vector)(lower)


for _operation, _method in {
    operator.add: "fadd",
    operator.sub: "fsub",
    operator.mul: "fmul",
    operator.truediv: "fdiv",
}.items():
    _operator(_operation, _method)
