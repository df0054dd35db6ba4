using BpfPpcc.Ppc64;

namespace BpfPpcc.Emission;

/// <summary>
/// Gives branches their displacements. A conditional branch reaches 32 KiB (Power ISA book I, 2.4: BD has 16 bits); one that must go
/// farther becomes the opposite branch over an unconditional one, which reaches 32 MiB. All start short; those that do not reach are made
/// long until all reach. A branch never becomes short again, so that this ends.
/// </summary>
internal static class BranchRelaxation
{
    private const int ShortReach = 1 << 15;
    private const int LongReach = 1 << 25;

    /// <summary>The words of <paramref name="code"/> with all branches filled in, and where its places have moved to.</summary>
    /// <param name="blockWords">By block: index of the first word, before growth.</param>
    /// <returns>Null if an unconditional branch does not reach its target.</returns>
    public static RelaxedCode? Relax(CodeBuffer code, int[] blockWords)
    {
        var relaxed = new RelaxedCode(code, blockWords);
        if (code.Offset >= ShortReach)
        {
            while (GrowBranches(code, relaxed))
                relaxed.CountGrowth();
        }

        return TryFillIn(code, relaxed) ? relaxed : null;
    }

    private static bool GrowBranches(CodeBuffer code, RelaxedCode relaxed)
    {
        bool hasGrown = false;
        for (int i = 0; i < code.Branches.Count; i++)
        {
            BranchSite site = code.Branches[i];
            if (!site.IsConditional || relaxed.IsLong[i])
                continue;
            long displacement = relaxed.BlockOffset(site.Target) - relaxed.SiteOffset(i);
            if (displacement is < -ShortReach or >= ShortReach)
            {
                relaxed.IsLong[i] = true;
                hasGrown = true;
            }
        }

        return hasGrown;
    }

    private static bool TryFillIn(CodeBuffer code, RelaxedCode relaxed)
    {
        relaxed.CopyWords();
        for (int i = 0; i < code.Branches.Count; i++)
        {
            BranchSite site = code.Branches[i];
            long offset = relaxed.SiteOffset(i);
            long displacement = relaxed.BlockOffset(site.Target) - offset;
            if (site.IsConditional && !relaxed.IsLong[i])
            {
                relaxed.Words[offset / 4] = Ppc64Encoder.Encode(Ppc64Opcode.Bc, site.Options, site.CrBit, displacement);
                continue;
            }

            if (site.IsConditional)
            {
                relaxed.Words[offset / 4] = Ppc64Encoder.Encode(Ppc64Opcode.Bc, BranchOptions.Invert(site.Options), site.CrBit, 8);
                offset += 4;
                displacement -= 4;
            }

            if (displacement is < -LongReach or >= LongReach)
                return false;
            relaxed.Words[offset / 4] = Ppc64Encoder.Encode(Ppc64Opcode.B, displacement);
        }

        return true;
    }
}

/// <summary>Code in which some conditional branches have become a word longer.</summary>
internal sealed class RelaxedCode
{
    private readonly CodeBuffer _code;
    private readonly int[] _blockWords;

    /// <summary>By branch, with one more at the end: how many branches before it are long.</summary>
    private readonly int[] _growth;

    /// <summary>By block: number of branches before its start.</summary>
    private readonly int[] _branchesBeforeBlock;

    public RelaxedCode(CodeBuffer code, int[] blockWords)
    {
        _code = code;
        _blockWords = blockWords;
        IsLong = new bool[code.Branches.Count];
        _growth = new int[code.Branches.Count + 1];
        _branchesBeforeBlock = new int[blockWords.Length];
        for (int i = 0; i < blockWords.Length; i++)
            _branchesBeforeBlock[i] = BranchesBefore(blockWords[i]);
    }

    public bool[] IsLong { get; }

    public uint[] Words { get; private set; } = [];

    public void CountGrowth()
    {
        for (int i = 0; i < IsLong.Length; i++)
            _growth[i + 1] = _growth[i] + (IsLong[i] ? 1 : 0);
    }

    public long SiteOffset(int branch) => 4L * (_code.Branches[branch].Word + _growth[branch]);

    public long BlockOffset(int block) => 4L * (_blockWords[block] + _growth[_branchesBeforeBlock[block]]);

    /// <summary>The new offset of what was at byte <paramref name="offset"/>.</summary>
    public int Moved(int offset) => _growth[^1] == 0 ? offset : offset + 4 * _growth[BranchesBefore(offset / 4)];

    public void CopyWords()
    {
        Words = new uint[_code.Count + _growth[^1]];
        ReadOnlySpan<uint> source = _code.Words;
        if (_growth[^1] == 0)
        {
            source.CopyTo(Words);
            return;
        }

        int from = 0;
        for (int i = 0; i < IsLong.Length; i++)
        {
            if (!IsLong[i])
                continue;
            int end = _code.Branches[i].Word + 1;
            source[from..end].CopyTo(Words.AsSpan(from + _growth[i]));
            from = end;
        }

        source[from..].CopyTo(Words.AsSpan(from + _growth[^1]));
    }

    /// <summary>Number of branches whose word lies before this one.</summary>
    private int BranchesBefore(int word)
    {
        int low = 0, high = _code.Branches.Count;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (_code.Branches[middle].Word < word)
                low = middle + 1;
            else
                high = middle;
        }

        return low;
    }
}
