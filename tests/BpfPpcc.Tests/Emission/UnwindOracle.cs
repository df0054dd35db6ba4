using System.Collections.Immutable;
using BpfPpcc.Emission;
using BpfPpcc.Ppc64;
using Xunit;

namespace BpfPpcc.Tests.Emission;

/// <summary>
/// Runs a function's words on every path, following r1, the link register and the callee-saved registers only, and asks at every
/// instruction whether the call frame information says where they are: DWARF's rows are read in the order of the code, the paths are not.
/// </summary>
internal sealed class UnwindOracle
{
    private const int LinkRegister = 32;
    private const int FirstSaved = 14;

    private readonly CompiledFunction _function;
    private readonly Rules[] _rules;
    private readonly HashSet<(int Word, Machine State)> _seen = [];
    private readonly Stack<(int Word, Machine State)> _work = new();

    private UnwindOracle(CompiledFunction function)
    {
        _function = function;
        _rules = Read(function);
    }

    /// <summary>What the unwinder is told: by how much r1 is below the caller's, and the registers, as bits, that are in memory.</summary>
    private readonly record struct Rules(int Lowered, ulong InMemory);

    /// <summary>What is so. A register's bit says that it holds the caller's value, or that its save does.</summary>
    private readonly record struct Machine(int Lowered, ulong InRegister, ulong InMemory);

    public static void Check(CompiledFunction function) => new UnwindOracle(function).Run();

    private static Rules[] Read(CompiledFunction function)
    {
        var rules = new Rules[function.Code.Length];
        var now = default(Rules);
        var remembered = new Stack<Rules>();
        int row = 0;
        for (int word = 0; word < rules.Length; word++)
        {
            for (; row < function.Cfi.Length && function.Cfi[row].CodeOffset == word * 4; row++)
            {
                CfiInstruction cfi = function.Cfi[row];
                ulong bit = cfi.Register == CallingConvention.DwarfNumberOfLr ? 1UL << LinkRegister : 1UL << cfi.Register;
                switch (cfi.Kind)
                {
                    case CfiKind.DefineCfaOffset:
                        now = now with { Lowered = cfi.Value };
                        break;
                    case CfiKind.Offset:
                        now = now with { InMemory = now.InMemory | bit };
                        break;
                    case CfiKind.Restore:
                        now = now with { InMemory = now.InMemory & ~bit };
                        break;
                    case CfiKind.RememberState:
                        remembered.Push(now);
                        break;
                    case CfiKind.RestoreState:
                        now = remembered.Pop();
                        break;
                }
            }

            rules[word] = now;
        }

        Assert.Equal(function.Cfi.Length, row);
        Assert.Empty(remembered);
        return rules;
    }

    private void Run()
    {
        ulong kept = 1UL << LinkRegister;
        for (int gpr = FirstSaved; gpr < 32; gpr++)
            kept |= 1UL << gpr;
        Go(0, new Machine(0, kept, 0));
        Span<long> operands = stackalloc long[Ppc64InstructionTable.MaxOperands];
        while (_work.TryPop(out (int Word, Machine State) at))
        {
            Rules rules = _rules[at.Word];
            bool isTrue = rules.Lowered == at.State.Lowered && (rules.InMemory & ~at.State.InMemory) == 0
                && (kept & ~rules.InMemory & ~at.State.InRegister) == 0;
            Assert.True(isTrue, $"{_function.Name}: the rows are wrong at {at.Word * 4:x}: {rules} {at.State}\n{string.Join('\n', _function.Cfi)}");
            Assert.True(Ppc64Decoder.TryDecode(_function.Code[at.Word], out Ppc64Opcode opcode, operands, out _));
            Step(at.Word, at.State, opcode, operands);
        }
    }

    private void Go(int word, Machine state)
    {
        if (_seen.Add((word, state)))
            _work.Push((word, state));
    }

    private void Step(int word, Machine state, Ppc64Opcode opcode, ReadOnlySpan<long> operands)
    {
        switch (opcode)
        {
            case Ppc64Opcode.B:
                Go(word + (int)operands[0] / 4, state);
                return;
            case Ppc64Opcode.Bc:
                Go(word + (int)operands[2] / 4, state);
                break;
            case Ppc64Opcode.Bclr or Ppc64Opcode.Bcctr:
                Assert.Equal(0, state.Lowered);
                Assert.Equal(0UL, ~state.InRegister & (1UL << LinkRegister | 0xFFFFC000));
                if (operands[0] == BranchOptions.Always)
                    return;
                break;
            case Ppc64Opcode.Tw when operands[0] == 31:
                return;
            case Ppc64Opcode.Bl or Ppc64Opcode.Bcctrl:
                Assert.NotEqual(0, state.Lowered);
                state = state with { InRegister = state.InRegister & ~(1UL << LinkRegister) };
                break;
            case Ppc64Opcode.Stdu:
                state = state with { Lowered = state.Lowered - (int)operands[1] };
                break;
            case Ppc64Opcode.Addi when operands[0] == 1:
                state = state with { Lowered = state.Lowered - (int)operands[2] };
                break;
            case Ppc64Opcode.Std when operands[2] == 1 && SavedAt((int)operands[1] - state.Lowered, (int)operands[0]) is >= 0 and int saved:
                state = state with { InMemory = state.InMemory | (state.InRegister & 1UL << saved) };
                break;
            case Ppc64Opcode.Ld when operands[2] == 1 && SavedAt((int)operands[1] - state.Lowered, (int)operands[0]) is >= 0 and int restored && restored < 32:
                state = state with { InRegister = state.InRegister | (state.InMemory & 1UL << restored) };
                break;
            case Ppc64Opcode.Mtlr:
                state = state with { InRegister = state.InRegister | (state.InMemory & 1UL << LinkRegister) };
                break;
            default:
                state = state with { InRegister = state.InRegister & ~Written(opcode, operands) };
                break;
        }

        Go(word + 1, state);
    }

    /// <summary>The register that is saved at an offset from the caller's r1, if the rows say so of this one; r0 carries the link register.</summary>
    private int SavedAt(int offset, int gpr)
    {
        foreach (CfiInstruction row in _function.Cfi)
        {
            if (row.Kind != CfiKind.Offset || row.Value != offset)
                continue;
            if (gpr == 0 && row.Register == CallingConvention.DwarfNumberOfLr)
                return LinkRegister;
            if (gpr != 0 && row.Register == gpr)
                return gpr;
        }

        return -1;
    }

    private static ulong Written(Ppc64Opcode opcode, ReadOnlySpan<long> operands)
    {
        ImmutableArray<Ppc64Operand> fields = Ppc64InstructionTable.Row(opcode).Operands;
        ulong written = 0;
        for (int i = 0; i < fields.Length; i++)
        {
            if (fields[i].Field is Ppc64Field.RT or Ppc64Field.RA && fields[i].Access is not Ppc64Access.Use)
                written |= 1UL << (int)operands[i];
        }

        return written;
    }
}
