namespace BpfPpcc.Tests.Execution;

/// <summary>
/// Every arithmetic operation and comparison, at both widths, with a register and with an immediate, on all pairs of operands at which
/// something changes: zero, signs, the ends of each width, counts at and past the width. One unit an operation; its inputs are the operands.
/// </summary>
public static class EdgeCases
{
    /// <summary>An operation on two numbers and the unit that performs it: operands at 0 and 8 of the memory, the result goes to 16.</summary>
    /// <param name="Immediate">The second operand, or null if it is a register.</param>
    /// <param name="IsSigned">Division and remainder only.</param>
    public sealed record Operation(int Code, bool Is64, bool IsJump, bool IsSigned, int? Immediate, TestUnit Unit);

    private static readonly ulong[] Values =
    [
        0, 1, 2, 31, 32, 63, 64, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0x1_0000_0000, 0x7fff_ffff_ffff_ffff, 0x8000_0000_0000_0000,
        0xffff_ffff_8000_0000, 0xffff_ffff_ffff_ffff, 0xffff_ffff_0000_0001, 0x0123_4567_89ab_cdef, 7,
    ];

    private static readonly int[] Immediates =
        [0, 1, -1, 2, -2, 7, 31, 32, 63, 0x7fff, 0x8000, -0x8000, -0x8001, 0xffff, 0x1_0000, 0x7fff_ffff, int.MinValue, 0x7fff_8000, 0x1234_5678];

    public static IReadOnlyList<Operation> All()
    {
        var all = new List<Operation>();
        foreach (bool is64 in (bool[])[true, false])
        {
            foreach (int operation in (int[])[0x0, 0x1, 0x2, 0x3, 0x4, 0x5, 0x6, 0x7, 0x9, 0xa, 0xb, 0xc])
            {
                Arithmetic(all, operation, is64, isSigned: false);
                if (operation is 0x3 or 0x9)
                    Arithmetic(all, operation, is64, isSigned: true);
            }

            foreach (int code in (int[])[0x1, 0x2, 0x3, 0x4, 0x5, 0x6, 0x7, 0xa, 0xb, 0xc, 0xd])
                Comparison(all, code, is64);
        }

        return all;
    }

    private static void Arithmetic(List<Operation> all, int operation, bool is64, bool isSigned)
    {
        int offset = isSigned ? 1 : 0;
        all.Add(Make(operation, is64, isJump: false, isSigned, immediate: null, [Slot.Alu(operation, is64, 6, 7, offset)]));
        foreach (int immediate in Immediates)
        {
            bool isCount = operation is 0x6 or 0x7 or 0xc;
            if (isCount && (immediate < 0 || immediate >= (is64 ? 64 : 32)) || operation is 0x3 or 0x9 && immediate == 0)
                continue;
            all.Add(Make(operation, is64, isJump: false, isSigned, immediate, [Slot.AluImm(operation, is64, 6, immediate, offset)]));
        }
    }

    private static void Comparison(List<Operation> all, int code, bool is64)
    {
        Slot[] After(Slot jump) => [jump, Slot.MovImm(6, 0), Slot.Goto(1), Slot.MovImm(6, 1)];
        all.Add(Make(code, is64, isJump: true, isSigned: false, immediate: null, After(Slot.Jump(code, is64, 6, 7, 2))));
        foreach (int immediate in Immediates)
            all.Add(Make(code, is64, isJump: true, isSigned: false, immediate, After(Slot.JumpImm(code, is64, 6, immediate, 2))));
    }

    private static Operation Make(int operation, bool is64, bool isJump, bool isSigned, int? immediate, Slot[] body)
    {
        Slot[] slots =
        [
            Slot.Load(8, 6, 1, 0), Slot.Load(8, 7, 1, 8), .. body, Slot.Store(8, 1, 16, 6), Slot.Mov(0, 6), Slot.Exit,
        ];
        string name = $"{(isJump ? "jump" : "alu")} {operation:x}{(isSigned ? " signed" : "")} {(is64 ? 64 : 32)} {immediate?.ToString("x", null) ?? "register"}";
        IEnumerable<TestInput> inputs = immediate is null
            ? Values.SelectMany(static a => Values.Select(b => Input(a, b)))
            : Values.Select(static a => Input(a, 0));
        var unit = new TestUnit
        {
            Name = name,
            Functions = [new TestFunction { Name = "p", Place = FunctionPlace.Program, Slots = slots }],
            Inputs = [.. inputs],
        };
        return new Operation(operation, is64, isJump, isSigned, immediate, unit);
    }

    private static TestInput Input(ulong a, ulong b)
    {
        var memory = new byte[24];
        BitConverter.TryWriteBytes(memory, a);
        BitConverter.TryWriteBytes(memory.AsSpan(8), b);
        return new TestInput(memory);
    }
}
