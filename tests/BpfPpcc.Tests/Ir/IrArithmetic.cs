using System.Numerics;
using BpfPpcc.Ir;

namespace BpfPpcc.Tests.Ir;

/// <summary>The arithmetic of the form, written from its documentation and not from what the compiler folds with.</summary>
internal static class IrArithmetic
{
    public static ulong Evaluate64(IrOpcode opcode, ulong a, ulong b) => opcode switch
    {
        IrOpcode.Add => a + b,
        IrOpcode.Subtract => a - b,
        IrOpcode.Multiply => a * b,
        IrOpcode.UnsignedDivide => b == 0 ? 0 : a / b,
        IrOpcode.UnsignedRemainder => b == 0 ? a : a % b,
        IrOpcode.SignedDivide => (ulong)(b == 0 ? 0 : (Int128)(long)a / (long)b),
        IrOpcode.SignedRemainder => b == 0 ? a : (ulong)((Int128)(long)a % (long)b),
        IrOpcode.And => a & b,
        IrOpcode.Or => a | b,
        IrOpcode.Xor => a ^ b,
        IrOpcode.ShiftLeft => a << (int)(b % 64),
        IrOpcode.ShiftRightLogical => a >> (int)(b % 64),
        IrOpcode.ShiftRightArithmetic => (ulong)((long)a >> (int)(b % 64)),
        IrOpcode.RotateLeft => BitOperations.RotateLeft(a, (int)(b % 64)),
        IrOpcode.Negate => 0 - a,
        IrOpcode.MultiplyHighUnsigned => (ulong)((UInt128)a * b >> 64),
        IrOpcode.MultiplyHighSigned => (ulong)((Int128)(long)a * (long)b >> 64),
        _ => throw new IrFaultException($"{opcode} is not arithmetic"),
    };

    public static ulong Evaluate32(IrOpcode opcode, uint a, uint b) => opcode switch
    {
        IrOpcode.Add => a + b,
        IrOpcode.Subtract => a - b,
        IrOpcode.Multiply => a * b,
        IrOpcode.UnsignedDivide => b == 0 ? 0 : a / b,
        IrOpcode.UnsignedRemainder => b == 0 ? a : a % b,
        IrOpcode.SignedDivide => (ulong)(b == 0 ? 0 : (long)(int)a / (int)b),
        IrOpcode.SignedRemainder => b == 0 ? a : (ulong)((long)(int)a % (int)b),
        IrOpcode.And => a & b,
        IrOpcode.Or => a | b,
        IrOpcode.Xor => a ^ b,
        IrOpcode.ShiftLeft => a << (int)(b % 32),
        IrOpcode.ShiftRightLogical => a >> (int)(b % 32),
        IrOpcode.ShiftRightArithmetic => (ulong)((int)a >> (int)(b % 32)),
        IrOpcode.RotateLeft => BitOperations.RotateLeft(a, (int)(b % 32)),
        IrOpcode.Negate => 0 - a,
        IrOpcode.MultiplyHighUnsigned => (ulong)a * b >> 32,
        IrOpcode.MultiplyHighSigned => (ulong)((long)(int)a * (int)b >> 32),
        _ => throw new IrFaultException($"{opcode} is not arithmetic"),
    };
}
