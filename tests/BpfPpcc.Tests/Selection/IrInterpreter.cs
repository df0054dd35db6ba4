using System.Globalization;
using System.Numerics;
using BpfPpcc.Ir;

namespace BpfPpcc.Tests.Selection;

/// <summary>Runs an IR function as the documentation of <see cref="IrOpcode"/> says, and nothing else.</summary>
internal sealed class IrInterpreter(IrFunction function, TestWorld world, ulong[] arguments)
{
    private readonly ulong[] _values = new ulong[function.InstructionCount];

    /// <summary>What the function returns, as text; null if it did not end within some number of blocks.</summary>
    public static string? Run(IrFunction function, TestWorld world, ulong[] arguments) =>
        new IrInterpreter(function, world, arguments).Run();

    private string? Run()
    {
        IrBlock? previous = null;
        IrBlock block = function.Entry;
        for (int steps = 0; steps < 300; steps++)
        {
            EnterBlock(block, previous);
            foreach (IrInstruction instruction in block.Instructions)
            {
                if (instruction.Opcode == IrOpcode.Phi || instruction.IsTerminator)
                    continue;
                if (instruction.Opcode != IrOpcode.TailCall)
                    _values[instruction.Id] = Evaluate(instruction);
                else if (TryTailCall(instruction, out string result))
                    return result;
            }

            IrInstruction terminator = block.Terminator;
            if (terminator.Opcode == IrOpcode.Return)
                return string.Create(CultureInfo.InvariantCulture, $"return {Value(terminator.Operands[0]):x}");
            if (terminator.Opcode == IrOpcode.Unreachable)
                return "unreachable";
            previous = block;
            block = terminator.Targets[terminator.Opcode == IrOpcode.Jump || Holds(terminator) ? 0 : 1];
        }

        return null;
    }

    private void EnterBlock(IrBlock block, IrBlock? previous)
    {
        if (previous is null)
            return;
        int predecessor = block.Predecessors.IndexOf(previous);
        var incoming = new List<(int Id, ulong Value)>();
        foreach (IrInstruction phi in block.Instructions)
        {
            if (phi.Opcode == IrOpcode.Phi)
                incoming.Add((phi.Id, Value(phi.Operands[predecessor])));
        }

        foreach ((int id, ulong value) in incoming)
            _values[id] = value;
    }

    private ulong Value(IrInstruction value) => value.Opcode switch
    {
        IrOpcode.Constant => (ulong)value.Immediate,
        IrOpcode.Undefined => 0,
        IrOpcode.Argument => arguments[value.Immediate],
        IrOpcode.StackAddress => unchecked(TestWorld.FramePointer + (ulong)value.Immediate),
        IrOpcode.SymbolAddress => TestWorld.SymbolAddress(value.Symbol.Value, value.Immediate),
        _ => _values[value.Id],
    };

    private ulong Operand(IrInstruction instruction, int index) => Value(instruction.Operands[index]);

    private static ulong Low(ulong value, int width) => width == 64 ? value : value & ((1UL << width) - 1);

    private static long SignedLow(ulong value, int width) => (long)(value << (64 - width)) >> (64 - width);

    private ulong Evaluate(IrInstruction instruction)
    {
        int width = instruction.Width;
        if (IrRules.IsLeaf(instruction.Opcode))
            return Value(instruction);
        if (IrRules.IsArithmetic(instruction.Opcode) && instruction.Opcode != IrOpcode.Select)
            return Low(Arithmetic(instruction, width), width);
        switch (instruction.Opcode)
        {
            case IrOpcode.Select:
                return Low(Operand(instruction, Holds(instruction) ? 2 : 3), width);
            case IrOpcode.ZeroExtend:
                return Low(Operand(instruction, 0), width);
            case IrOpcode.SignExtend:
                return (ulong)SignedLow(Operand(instruction, 0), width);
            case IrOpcode.ByteSwap:
                return Swap(Operand(instruction, 0), width);
            case IrOpcode.Load:
                ulong loaded = world.Load(Address(instruction), width / 8);
                return instruction.IsSigned ? (ulong)SignedLow(loaded, width) : loaded;
            case IrOpcode.Store:
                world.Store(Address(instruction), width / 8, Operand(instruction, 1));
                return 0;
            case IrOpcode.AtomicReadModifyWrite:
                ulong before = world.Load(Address(instruction), width / 8);
                world.Store(Address(instruction), width / 8, Modify(instruction.Atomic, before, Operand(instruction, 1)));
                return before;
            case IrOpcode.AtomicCompareExchange:
                ulong old = world.Load(Address(instruction), width / 8);
                if (old == Low(Operand(instruction, 1), width))
                    world.Store(Address(instruction), width / 8, Operand(instruction, 2));
                return old;
            case IrOpcode.CallExtern or IrOpcode.CallLocal:
                return Call(instruction, $"symbol{instruction.Symbol.Value}", 0);
            case IrOpcode.CallIndirect:
                return Call(instruction, string.Create(CultureInfo.InvariantCulture, $"pointer {Operand(instruction, 0):x}"), 1);
            default:
                throw new InvalidOperationException(instruction.Opcode.ToString());
        }
    }

    private ulong Address(IrInstruction access) => unchecked(Operand(access, 0) + (ulong)access.Immediate);

    private ulong Call(IrInstruction call, string callee, int first)
    {
        var values = new ulong?[call.Operands.Length - first];
        for (int i = 0; i < values.Length; i++)
            values[i] = call.Operands[i + first].Opcode == IrOpcode.Undefined ? null : Operand(call, i + first);
        return world.Call(callee, values);
    }

    private static ulong Swap(ulong value, int width)
    {
        ulong result = 0;
        for (int i = 0; i < width; i += 8)
            result = (result << 8) | ((value >> i) & 0xff);
        return result;
    }

    private static ulong Modify(IrAtomic operation, ulong before, ulong value) => operation switch
    {
        IrAtomic.Add => unchecked(before + value),
        IrAtomic.Or => before | value,
        IrAtomic.And => before & value,
        IrAtomic.Xor => before ^ value,
        IrAtomic.Exchange => value,
        IrAtomic.None => throw new InvalidOperationException("no operation"),
    };

    private ulong Arithmetic(IrInstruction instruction, int width)
    {
        ulong left = Low(Operand(instruction, 0), width);
        ulong right = instruction.Operands.Length > 1 ? Low(Operand(instruction, 1), width) : 0;
        long signedLeft = SignedLow(left, width);
        long signedRight = SignedLow(right, width);
        int count = (int)right & (width - 1);
        unchecked
        {
            return instruction.Opcode switch
            {
                IrOpcode.Add => left + right,
                IrOpcode.Subtract => left - right,
                IrOpcode.Multiply => left * right,
                IrOpcode.UnsignedDivide => right == 0 ? 0 : left / right,
                IrOpcode.UnsignedRemainder => right == 0 ? left : left % right,
                IrOpcode.SignedDivide => signedRight == 0 ? 0 : signedRight == -1 ? (ulong)-signedLeft : (ulong)(signedLeft / signedRight),
                IrOpcode.SignedRemainder => signedRight == 0 ? left : signedRight == -1 ? 0 : (ulong)(signedLeft % signedRight),
                IrOpcode.And => left & right,
                IrOpcode.Or => left | right,
                IrOpcode.Xor => left ^ right,
                IrOpcode.ShiftLeft => left << count,
                IrOpcode.ShiftRightLogical => left >> count,
                IrOpcode.ShiftRightArithmetic => (ulong)(signedLeft >> count),
                IrOpcode.RotateLeft => (left << count) | (count == 0 ? 0 : left >> (width - count)),
                IrOpcode.Negate => 0 - left,
                IrOpcode.MultiplyHighUnsigned => (ulong)((UInt128)left * right >> width),
                IrOpcode.MultiplyHighSigned => (ulong)(long)((BigInteger)signedLeft * signedRight >> width),
                _ => throw new InvalidOperationException(instruction.Opcode.ToString()),
            };
        }
    }

    private bool Holds(IrInstruction instruction)
    {
        int width = instruction.CompareWidth;
        ulong left = Low(Operand(instruction, 0), width);
        ulong right = Low(Operand(instruction, 1), width);
        long signedLeft = SignedLow(left, width);
        long signedRight = SignedLow(right, width);
        return instruction.Condition switch
        {
            IrCondition.Equal => left == right,
            IrCondition.NotEqual => left != right,
            IrCondition.UnsignedLess => left < right,
            IrCondition.UnsignedLessOrEqual => left <= right,
            IrCondition.UnsignedGreater => left > right,
            IrCondition.UnsignedGreaterOrEqual => left >= right,
            IrCondition.SignedLess => signedLeft < signedRight,
            IrCondition.SignedLessOrEqual => signedLeft <= signedRight,
            IrCondition.SignedGreater => signedLeft > signedRight,
            IrCondition.SignedGreaterOrEqual => signedLeft >= signedRight,
            IrCondition.Test => (left & right) != 0,
            IrCondition.TestZero => (left & right) == 0,
            IrCondition.None => throw new InvalidOperationException("no condition"),
        };
    }

    /// <summary>The checks of object-abi.md, in its order.</summary>
    private bool TryTailCall(IrInstruction call, out string result)
    {
        result = "";
        ulong map = Operand(call, 1);
        ulong index = Low(Operand(call, 2), 32);
        if (index >= world.Load(unchecked(map + 16), 4))
            return false;
        ulong place = TestWorld.CountSlot;
        ulong count = world.Load(place, 8);
        if (count > 33)
        {
            place = count;
            count = world.Load(place, 8);
        }

        if (count >= 33)
            return false;
        ulong program = world.Load(unchecked(world.Load(unchecked(map + 96), 8) + (index * 8)), 8);
        if (program == 0)
            return false;
        world.Store(place, 8, count + 1);
        ulong entry = world.Load(unchecked(program + 56), 8);
        result = string.Create(CultureInfo.InvariantCulture, $"tail call {entry:x}({Operand(call, 0):x})");
        return true;
    }
}
