using System.Collections.Immutable;
using System.Numerics;
using BpfPpcc.Bpf;
using BpfPpcc.Loading;
using BpfPpcc.Verification.Domain;

namespace BpfPpcc.Verification.Facts;

/// <summary>
/// Bounds of registers that hold on all paths together, for the code generator: a forward fixpoint over the blocks of a function with joins
/// where paths meet and widening in loops. The walk's own ranges would not do: a path that it cut short may carry other values (verifier.md,
/// 3.6). Pointers are numbers of which nothing is known, and so is what comes from memory, beyond its width.
/// </summary>
internal sealed class ValueFacts
{
    private const int Registers = 11;

    /// <summary>Joins at one block before its bounds are widened.</summary>
    private const int Patience = 3;

    private readonly BpfModule _module;
    private readonly BpfFunction _function;
    private readonly ProgramFacts _facts;
    private readonly FunctionBlocks _blocks;
    private readonly ScalarBounds[]?[] _atStart;
    private readonly int[] _joins;
    private readonly bool[] _isPending;
    private readonly WideningThresholds _thresholds;

    private ValueFacts(BpfModule module, BpfFunction function, ProgramFacts facts)
    {
        _module = module;
        _function = function;
        _facts = facts;
        _blocks = FunctionBlocks.Of(function.Instructions.AsSpan(), [.. facts.IsReachable]);
        _atStart = new ScalarBounds[_blocks.Count][];
        _joins = new int[_blocks.Count];
        _isPending = new bool[_blocks.Count];
        _thresholds = new WideningThresholds(Constants(function));
    }

    /// <summary>The facts with what the values tell.</summary>
    /// <param name="facts">Of a function that is entered only as the walks entered it.</param>
    public static ProgramFacts Add(ProgramFacts facts, BpfModule module, BpfFunction function)
    {
        var analysis = new ValueFacts(module, function, facts);
        analysis.Solve();
        return analysis.Collect();
    }

    /// <summary>What the function compares with.</summary>
    public static ulong[] Constants(BpfFunction function)
    {
        var constants = new HashSet<ulong>();
        foreach (BpfInstruction instruction in function.Instructions)
        {
            if (ControlFlow.IsJump(instruction) && instruction.Source == BpfSource.K)
                constants.Add((ulong)(long)instruction.Imm);
        }

        return [.. constants];
    }

    private void Solve()
    {
        var entry = new ScalarBounds[Registers];
        Array.Fill(entry, ScalarBounds.Unknown);
        _atStart[0] = entry;
        _isPending[0] = true;
        bool hasChanged = true;
        while (hasChanged)
        {
            hasChanged = false;
            for (int block = 0; block < _blocks.Count; block++)
            {
                if (!_isPending[block])
                    continue;
                _isPending[block] = false;
                hasChanged = true;
                Visit(block);
            }
        }
    }

    private void Visit(int block)
    {
        var values = (ScalarBounds[])_atStart[block]!.Clone();
        int last = -1;
        for (int slot = _blocks.StartOf(block); slot < _blocks.EndOf(block); slot += ControlFlow.SlotsOf(_function.Instructions[slot]))
        {
            if (!_facts.IsReachable[slot])
                return;
            Apply(slot, values);
            last = slot;
        }

        int[] successors = _blocks.SuccessorsOf(block);
        BpfInstruction end = _function.Instructions[last];
        if (successors.Length == 2 && end.JumpCode != BpfJumpCode.JCOND)
        {
            bool isDecided = _facts.DecidedJumps.TryGetValue(last, out bool isTaken);
            if (!isDecided || !isTaken)
                FlowRefined(end, values, successors[0], isTaken: false);
            if (!isDecided || isTaken)
                FlowRefined(end, values, successors[1], isTaken: true);
            return;
        }

        foreach (int successor in successors)
            Flow(values, successor);
    }

    /// <summary>One side of a comparison: what it says of its operands holds there.</summary>
    private void FlowRefined(BpfInstruction jump, ScalarBounds[] values, int successor, bool isTaken)
    {
        ScalarBounds left = values[jump.Dst];
        ScalarBounds right = jump.Source == BpfSource.X ? values[jump.Src] : ScalarBounds.Constant((ulong)(long)jump.Imm);
        bool comparesItself = jump.Source == BpfSource.X && jump.Src == jump.Dst;
        if (!comparesItself && !ScalarBranch.Refine(jump.JumpCode, jump.Class == BpfClass.JMP32, isTaken, ref left, ref right))
            return;
        var refined = (ScalarBounds[])values.Clone();
        refined[jump.Dst] = left;
        if (jump.Source == BpfSource.X && !comparesItself)
            refined[jump.Src] = right;
        Flow(refined, successor);
    }

    private void Flow(ScalarBounds[] values, int block)
    {
        if (_atStart[block] is not { } known)
        {
            _atStart[block] = (ScalarBounds[])values.Clone();
            _isPending[block] = true;
            return;
        }

        bool hasChanged = false;
        bool widens = _joins[block] >= Patience;
        for (int register = 0; register < Registers; register++)
        {
            if (ScalarBounds.Covers(known[register], values[register]))
                continue;
            ScalarBounds joined = ScalarBounds.Join(known[register], values[register]);
            known[register] = widens ? ScalarBounds.Widen(known[register], joined, _thresholds) : joined;
            hasChanged = true;
        }

        if (!hasChanged)
            return;
        _joins[block]++;
        _isPending[block] = true;
    }

    private void Apply(int slot, ScalarBounds[] values)
    {
        BpfInstruction instruction = _function.Instructions[slot];
        switch (instruction.Class)
        {
            case BpfClass.ALU or BpfClass.ALU64:
                values[instruction.Dst] = Result(instruction, values);
                break;
            case BpfClass.LD when instruction.IsLoadImmediate64:
                values[instruction.Dst] = _function.References.ContainsKey(slot)
                    ? ScalarBounds.Unknown
                    : ScalarBounds.Constant(instruction.LoadImmediate64Value(_function.Instructions[slot + 1]));
                break;
            case BpfClass.LDX:
                values[instruction.Dst] = _facts.ContextLoads.ContainsKey(slot) ? ScalarBounds.Unknown : Loaded(instruction);
                break;
            case BpfClass.STX when instruction.WrittenRegister >= 0:
                values[instruction.WrittenRegister] = Loaded(instruction);
                break;
            case BpfClass.LD:
            case BpfClass.JMP when instruction.IsCall:
                Array.Fill(values, ScalarBounds.Unknown, 0, 6);
                break;
            case BpfClass.ST or BpfClass.STX or BpfClass.JMP or BpfClass.JMP32:
                break;
        }
    }

    private static ScalarBounds Loaded(BpfInstruction instruction)
    {
        ScalarBounds value = ScalarBounds.ZeroExtend(8 * instruction.MemoryBytes, ScalarBounds.Unknown);
        return instruction is { Class: BpfClass.LDX, Mode: BpfMode.MEMSX } ? ScalarBounds.SignExtend64(8 * instruction.MemoryBytes, value) : value;
    }

    private ScalarBounds Result(BpfInstruction instruction, ScalarBounds[] values)
    {
        bool is64 = instruction.Class == BpfClass.ALU64;
        ScalarBounds left = values[instruction.Dst];
        ScalarBounds right = instruction.Source == BpfSource.X ? values[instruction.Src] : ScalarBounds.Constant((ulong)(long)instruction.Imm);
        switch (instruction.AluCode)
        {
            case BpfAluCode.MOV:
                int width = BpfEncoding.SignExtendingMoveWidth(instruction);
                if (width != 0)
                    return is64 ? ScalarBounds.SignExtend64(width, right) : ScalarBounds.SignExtend32(width, right);
                return is64 ? right : ScalarBounds.ZeroExtend(32, right);
            case BpfAluCode.END when is64:
                return ScalarBounds.ByteSwap(instruction.Imm, left);
            case BpfAluCode.END:
                return instruction.Source == BpfSource.K
                    ? ScalarBounds.ToLittleEndian(instruction.Imm, left, _module.IsBigEndian)
                    : ScalarBounds.ToBigEndian(instruction.Imm, left, _module.IsBigEndian);
            case BpfAluCode.NEG:
                return is64 ? ScalarBounds.Alu64(BpfAluCode.NEG, left, left) : ScalarBounds.Alu32(BpfAluCode.NEG, left, left);
            case BpfAluCode.ADD or BpfAluCode.SUB or BpfAluCode.MUL or BpfAluCode.DIV or BpfAluCode.OR or BpfAluCode.AND or BpfAluCode.LSH
                or BpfAluCode.RSH or BpfAluCode.MOD or BpfAluCode.XOR or BpfAluCode.ARSH:
                bool isSigned = BpfEncoding.IsSignedDivision(instruction);
                return is64
                    ? ScalarBounds.Alu64(instruction.AluCode, left, right, isSigned)
                    : ScalarBounds.Alu32(instruction.AluCode, left, right, isSigned);
        }

        throw new InvalidOperationException($"ALU code {instruction.AluCode} passed the structure check");
    }

    private ProgramFacts Collect()
    {
        var zeros = ImmutableDictionary.CreateBuilder<int, ulong>();
        var divisors = ImmutableHashSet.CreateBuilder<int>();
        for (int block = 0; block < _blocks.Count; block++)
        {
            if (_atStart[block] is not { } values)
                continue;
            for (int slot = _blocks.StartOf(block); slot < _blocks.EndOf(block); slot += ControlFlow.SlotsOf(_function.Instructions[slot]))
            {
                BpfInstruction instruction = _function.Instructions[slot];
                bool isAlu = instruction.Class is BpfClass.ALU or BpfClass.ALU64;
                if (isAlu && instruction is { AluCode: BpfAluCode.DIV or BpfAluCode.MOD, Source: BpfSource.X } && IsPlainDivisor(instruction, values[instruction.Src]))
                    divisors.Add(slot);
                Apply(slot, values);
                if (isAlu && Zeros(values[instruction.Dst]) is not 0 and var known)
                    zeros.Add(slot, known);
            }
        }

        return _facts with { ZeroBits = zeros.ToImmutable(), PlainDivisors = divisors.ToImmutable() };
    }

    /// <summary>Not 0 and, where that makes a difference, not -1.</summary>
    private static bool IsPlainDivisor(BpfInstruction division, in ScalarBounds divisor)
    {
        bool is64 = division.Class == BpfClass.ALU64;
        bool mayBeZero = is64 ? divisor.UMin == 0 : divisor.U32Min == 0;
        if (mayBeZero || !BpfEncoding.IsSignedDivision(division))
            return !mayBeZero;
        return is64 ? divisor.SMin > -1 || divisor.SMax < -1 : divisor.S32Min > -1 || divisor.S32Max < -1;
    }

    private static ulong Zeros(in ScalarBounds bounds)
    {
        ulong above = ulong.MaxValue << (64 - BitOperations.LeadingZeroCount(bounds.UMax));
        return ~(bounds.Known.Value | bounds.Known.Mask) | (bounds.UMax == ulong.MaxValue || bounds.UMax >> 63 != 0 ? 0 : above);
    }
}
