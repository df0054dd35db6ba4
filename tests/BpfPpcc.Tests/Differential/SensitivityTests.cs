using BpfPpcc.Tests.Execution;
using Xunit;

namespace BpfPpcc.Tests.Differential;

/// <summary>
/// Whether random programs would show a miscompilation: one rule of the machine at a time is broken, and the results of some programs must
/// change. What a program computes and then throws away shows nothing; this test is what keeps the generator from doing too much of it.
/// </summary>
public sealed class SensitivityTests
{
    private const int Programs = 600;

    private static readonly (string Name, Func<Slot, Slot> Break)[] Faults =
    [
        ("arsh64 by a register is rsh", static s => s.Opcode == 0xcf ? s with { Opcode = 0x7f } : s),
        ("mod32 by a register is div", static s => s.Opcode == 0x9c ? s with { Opcode = 0x3c } : s),
        ("smod32 by a register is mod", static s => s.Opcode == 0x9c && s.Offset == 1 ? s with { Offset = 0 } : s),
        ("sdiv64 by an immediate is div", static s => s.Opcode == 0x37 && s.Offset == 1 ? s with { Offset = 0 } : s),
        ("jsgt64 is jgt", static s => s.Opcode == 0x6d ? s with { Opcode = 0x2d } : s),
        ("jsgt64 is jsge", static s => s.Opcode == 0x6d ? s with { Opcode = 0x7d } : s),
        ("jle32 with an immediate is jlt", static s => s.Opcode == 0xb6 ? s with { Opcode = 0xa6 } : s),
        ("jset32 looks at 64 bits", static s => s.Opcode == 0x4e ? s with { Opcode = 0x4d } : s),
        ("add32 leaves the carry", static s => s.Opcode == 0x0c ? s with { Opcode = 0x0f } : s),
        ("xor32 sign-extends its immediate", static s => s.Opcode == 0xa4 ? s with { Opcode = 0xa7 } : s),
        ("movsx16 is mov", static s => s.Opcode == 0xbf && s.Offset == 16 ? s with { Offset = 0 } : s),
        ("32-bit movsx8 fills 64 bits", static s => s.Opcode == 0xbc && s.Offset == 8 ? s with { Opcode = 0xbf } : s),
        ("bswap16 only truncates", static s => s.Opcode == 0xd7 && s.Imm == 16 ? s with { Opcode = 0xd4 } : s),
        ("ldxsh is ldxh", static s => s.Opcode == 0x89 ? s with { Opcode = 0x69 } : s),
        ("fetch_add 4 does not fetch", static s => s.Opcode == 0xc3 && s.Imm == 1 ? s with { Imm = 0 } : s),
        ("cmpxchg 8 always exchanges", static s => s.Opcode == 0xdb && s.Imm == 0xf1 ? s with { Imm = 0xe1 } : s),
        ("a byte goes to the place before", static s => s.Opcode == 0x73 && s.Offset < 0 ? s with { Offset = s.Offset - 1 } : s),
        ("load_acquire of 2 bytes loads 4", static s => s.Opcode == 0xcb && s.Imm == 0x100 ? s with { Opcode = 0x61, Imm = 0 } : s),
        ("lsh32 by 31 is by 30", static s => s.Opcode == 0x64 && s.Imm == 31 ? s with { Imm = 30 } : s),
        ("bit 15 of a 64-bit immediate is lost", static s => s.Opcode == 0x18 ? s with { Imm = s.Imm & ~0x8000 } : s),
    ];

    [Fact]
    public void Every_broken_rule_shows_in_some_programs()
    {
        var units = new List<(TestUnit Unit, TestOutcome[] Outcomes)>();
        for (ulong seed = 10; units.Count < Programs; seed++)
        {
            TestUnit unit = ProgramGenerator.Generate(seed);
            if (unit.SlotCount > 3_000 || unit.SlotCount < 10)
                continue;
            var interpreter = new UnitInterpreter(unit);
            units.Add((unit, [.. unit.Inputs.Select(input => interpreter.Run(input))]));
        }

        var lines = new List<string>();
        var unseen = new List<string>();
        foreach ((string name, Func<Slot, Slot> fault) in Faults)
        {
            int seen = units.Count(u => Shows(u.Unit, u.Outcomes, fault));
            lines.Add($"{seen,5} of {Programs} programs: {name}");
            if (seen == 0)
                unseen.Add(name);
        }

        TestContext.Current.TestOutputHelper?.WriteLine(string.Join('\n', lines));
        Assert.Empty(unseen);
    }

    private static bool Shows(TestUnit unit, TestOutcome[] outcomes, Func<Slot, Slot> fault)
    {
        if (!unit.Functions.Any(f => f.Slots.Any(s => fault(s) != s)))
            return false;
        TestUnit broken = unit.WithSlots(fault);
        var interpreter = new UnitInterpreter(broken) { StepLimit = 500_000 };
        try
        {
            return !unit.Inputs.Select((input, i) => interpreter.Run(input).Agrees(outcomes[i])).All(static same => same);
        }
        catch (BpfFaultException)
        {
            return true;
        }
    }
}
