using System.Runtime.InteropServices;
using BpfPpcc.Ppc64;

namespace BpfPpcc.Emission;

/// <summary>
/// Cross-jumping: where paths join, and the instructions before the join are the same on two of them, one path takes those of the other.
/// Works on written code, so that all instructions count alike, whatever they come from; code in which every path has its own end comes in,
/// code with shared ends leaves.
/// <code>
///     li r3,-22            li r3,-22
///     b  out          =>   b  out
///  1: lwz r4,0(r5)      1: lwz r4,0(r5)
///     li r3,-22            b  0b           0: the first li
///     b  out
/// </code>
/// </summary>
/// <remarks>
/// A path that only jumps to its end from elsewhere runs no longer than before; one that is cut in the middle runs one jump more, which is
/// not done in loops. The frame is in the same state on all paths that lead to one place.
/// </remarks>
internal sealed class TailMerging
{
    /// <summary>Merging makes more ways lead to one place, so that more can be merged; most is found soon.</summary>
    private const int MostRounds = 5;

    /// <summary>A path that becomes one jump longer for it must save this many words.</summary>
    private const int FewestWords = 2;

    /// <summary>The same where the way ends, and the jump would be the only one.</summary>
    private const int FewestWordsOfReturn = 4;

    /// <summary>Ends that are compared with one: keeps the search linear.</summary>
    private const int MostComparisons = 40;

    private readonly CodeBuffer _code;
    private readonly int _bodyStart;

    /// <summary>By word: the branch, relocation or local call at it, or -1.</summary>
    private readonly int[] _branchAt;
    private readonly int[] _relocationAt;
    private readonly int[] _callAt;

    /// <summary>By word: the last mark before or at it.</summary>
    private readonly int[] _frameMarkAt;

    /// <summary>By word: a path must not be cut before it, in the middle of a loop that is one pseudo instruction.</summary>
    private readonly bool[] _isTied;

    /// <summary>By label: the label that stands for it, itself if it is there.</summary>
    private readonly List<int> _alias = [];
    private readonly CodeSegment _first;
    private readonly Dictionary<int, List<CodeSegment>> _byTarget = [];

    private TailMerging(CodeBuffer code, int bodyStart, CodeSegment first, int labels)
    {
        _code = code;
        _bodyStart = bodyStart;
        _first = first;
        for (int label = 0; label < labels; label++)
            _alias.Add(label);
        _branchAt = NewIndex(code.Count);
        _relocationAt = NewIndex(code.Count);
        _callAt = NewIndex(code.Count);
        _isTied = new bool[code.Count + 1];
        for (int i = 0; i < code.Branches.Count; i++)
            _branchAt[code.Branches[i].Word] = i;
        for (int i = 0; i < code.Relocations.Count; i++)
            _relocationAt[code.Relocations[i].Offset / 4] = i;
        for (int i = 0; i < code.LocalCalls.Count; i++)
            _callAt[code.LocalCalls[i].Offset / 4] = i;
        _frameMarkAt = IndexFrameMarks(code);
        TieLoops();
    }

    /// <summary>The code with merged ends.</summary>
    /// <param name="code">All of the function's code.</param>
    /// <param name="segments">Its blocks in the order in which they stand, linked; labels are below <paramref name="labels"/>.</param>
    /// <param name="labels">Number of labels.</param>
    /// <param name="labelWords">By label: its word in the result.</param>
    public static CodeBuffer Run(CodeBuffer code, List<CodeSegment> segments, int labels, out int[] labelWords)
    {
        var merging = new TailMerging(code, segments[0].Start, segments[0], labels);
        for (int round = 0; round < MostRounds && merging.MergeAll(); round++)
        {
        }

        return merging.Write(out labelWords);
    }

    private static int[] NewIndex(int count)
    {
        var index = new int[count];
        Array.Fill(index, -1);
        return index;
    }

    private static int[] IndexFrameMarks(CodeBuffer code)
    {
        var index = new int[code.Count + 1];
        for (int word = 0, mark = 0; word < index.Length; word++)
        {
            while (mark + 1 < code.FrameMarks.Count && code.FrameMarks[mark + 1].CodeOffset <= word * 4)
                mark++;
            index[word] = mark;
        }

        return index;
    }

    private FrameState StateAt(int word) => _code.FrameMarks[_frameMarkAt[word]].State;

    /// <summary>Branches within one pseudo instruction are words like others: what lies between them and their targets stays together.</summary>
    private void TieLoops()
    {
        ReadOnlySpan<uint> words = _code.Words;
        for (int word = 0; word < words.Length; word++)
        {
            if (words[word] >> 26 != 16 || _branchAt[word] >= 0)
                continue;
            int target = word + (short)(words[word] & 0xFFFC) / 4;
            for (int inside = Math.Min(word, target) + 1; inside <= Math.Max(word, target) && inside < _isTied.Length; inside++)
                _isTied[inside] = true;
        }
    }

    private int Resolve(int label)
    {
        while (_alias[label] != label)
            label = _alias[label];
        return label;
    }

    private bool MergeAll()
    {
        _byTarget.Clear();
        for (CodeSegment? segment = _first; segment is not null; segment = segment.Next)
        {
            DropEmpty(segment);
            int target = segment.Jump >= 0 ? Resolve(segment.Jump) : segment.FallsThrough ? segment.Next!.Label : CodeSegment.Nowhere;
            if (segment.Length == 0)
                continue;
            ref List<CodeSegment>? ends = ref CollectionsMarshal.GetValueRefOrAddDefault(_byTarget, target, out _);
            (ends ??= []).Add(segment);
        }

        bool hasMerged = false;
        foreach (List<CodeSegment> ends in _byTarget.Values)
        {
            if (ends.Count > 1)
                hasMerged |= MergeEnds(ends);
        }

        return hasMerged;
    }

    /// <summary>What only jumps on is left out.</summary>
    private void DropEmpty(CodeSegment segment)
    {
        if (segment.Length != 0 || segment.Jump < 0 || segment == _first || Resolve(segment.Jump) == segment.Label)
            return;
        _alias[segment.Label] = Resolve(segment.Jump);
        segment.Remove(segment.Jump);
    }

    private bool MergeEnds(List<CodeSegment> ends)
    {
        bool hasMerged = false;
        int fallingThrough = ends.FindIndex(static end => end.FallsThrough);
        if (fallingThrough > 0)
            (ends[0], ends[fallingThrough]) = (ends[fallingThrough], ends[0]);
        for (int i = 0; i < ends.Count; i++)
        {
            CodeSegment kept = ends[i];
            int compared = Math.Min(ends.Count, i + 1 + MostComparisons);
            int left = i + 1;
            for (int j = i + 1; j < compared; j++)
            {
                if (!TryMerge(ref kept, ends[j]))
                    ends[left++] = ends[j];
            }

            hasMerged |= left < compared;
            ends.RemoveRange(left, compared - left);
        }

        return hasMerged;
    }

    private bool TryMerge(ref CodeSegment kept, CodeSegment gone)
    {
        int length = CommonEnd(kept, gone);
        if (length == 0)
            return false;
        bool isWhole = length == gone.Length && gone != _first;
        bool isFree = kept.FallsThrough || (isWhole && gone.Previous is { FallsThrough: false });
        int fewest = gone.Jump < 0 && !gone.FallsThrough ? FewestWordsOfReturn : FewestWords;
        bool isAllowed = (isWhole || length < gone.Length) && (isFree || (!gone.IsHot && length >= fewest));
        if (!isAllowed)
            return false;
        if (length < kept.Length)
        {
            _alias.Add(_alias.Count);
            kept = kept.Split(kept.End - length, _alias.Count - 1);
        }

        if (isWhole)
        {
            _alias[gone.Label] = kept.Label;
            gone.Remove(kept.Label);
        }
        else
        {
            gone.End -= length;
            gone.Jump = kept.Label;
        }

        return true;
    }

    /// <summary>How many words at the ends of two segments are the same, and can be.</summary>
    private int CommonEnd(CodeSegment left, CodeSegment right)
    {
        int most = Math.Min(left.Length, right.Length);
        int found = 0;
        for (int length = 1; length <= most && AreSame(left.End - length, right.End - length); length++)
        {
            if (!_isTied[left.End - length] && !_isTied[right.End - length])
                found = length;
        }

        return found;
    }

    private bool AreSame(int left, int right)
    {
        if (_code.Words[left] != _code.Words[right] || StateAt(left) != StateAt(right))
            return false;
        return AreSameBranches(_branchAt[left], _branchAt[right]) && AreSameRelocations(_relocationAt[left], _relocationAt[right])
            && AreSameCalls(_callAt[left], _callAt[right]);
    }

    private bool AreSameBranches(int left, int right)
    {
        if (left < 0 || right < 0)
            return left == right;
        BranchSite a = _code.Branches[left];
        BranchSite b = _code.Branches[right];
        return a.Options == b.Options && a.CrBit == b.CrBit && Resolve(a.Target) == Resolve(b.Target);
    }

    private bool AreSameRelocations(int left, int right) => left < 0 || right < 0
        ? left == right
        : _code.Relocations[left] with { Offset = 0 } == _code.Relocations[right] with { Offset = 0 };

    private bool AreSameCalls(int left, int right) =>
        left < 0 || right < 0 ? left == right : _code.LocalCalls[left].Callee == _code.LocalCalls[right].Callee;

    private CodeBuffer Write(out int[] labelWords)
    {
        labelWords = new int[_alias.Count];
        var written = new CodeBuffer();
        int position = 0;
        for (int word = 0; word < _bodyStart; word++)
            CopyWord(word, written, ref position);
        for (CodeSegment? segment = _first; segment is not null; segment = segment.Next)
        {
            labelWords[segment.Label] = written.Count;
            DropIdleBranch(segment);
            for (int word = segment.Start; word < segment.End; word++)
                CopyWord(word, written, ref position);
            WriteJump(segment, written);
        }

        for (int label = 0; label < labelWords.Length; label++)
            labelWords[label] = labelWords[Resolve(label)];
        return written;
    }

    /// <summary>A condition at the end on which nothing depends any more.</summary>
    private void DropIdleBranch(CodeSegment segment)
    {
        int last = segment.Length == 0 ? -1 : _branchAt[segment.End - 1];
        if (last < 0 || BranchOptions.DecrementsCtr(_code.Branches[last].Options))
            return;
        int target = Resolve(_code.Branches[last].Target);
        if (segment.Jump >= 0 ? target == Resolve(segment.Jump) : segment.FallsThrough && target == segment.Next!.Label)
            segment.End--;
    }

    private void CopyWord(int word, CodeBuffer to, ref int position)
    {
        int offset = word * 4;
        int slot = -1;
        for (; position < _code.Positions.Count && _code.Positions[position].CodeOffset <= offset; position++)
            slot = _code.Positions[position].Slot;
        to.MarkPosition(slot);
        to.MarkFrame(StateAt(word));
        if (_relocationAt[word] >= 0)
            to.Relocations.Add(_code.Relocations[_relocationAt[word]] with { Offset = to.Offset });
        if (_callAt[word] >= 0)
            to.LocalCalls.Add(_code.LocalCalls[_callAt[word]] with { Offset = to.Offset });
        if (_branchAt[word] < 0)
        {
            to.Add(_code.Words[word]);
            return;
        }

        BranchSite site = _code.Branches[_branchAt[word]];
        to.Branch(Resolve(site.Target), site.Options, site.CrBit);
    }

    /// <summary>Nothing where the target comes next; where a branch goes around the jump, the branch takes the jump's way.</summary>
    private void WriteJump(CodeSegment segment, CodeBuffer to)
    {
        if (segment.Jump < 0)
            return;
        int target = Resolve(segment.Jump);
        int next = segment.Next?.Label ?? CodeSegment.Nowhere;
        if (target == next)
            return;
        int last = segment.Length == 0 ? -1 : _branchAt[segment.End - 1];
        if (last >= 0 && Resolve(_code.Branches[last].Target) == next)
        {
            to.InvertLastBranch(target);
            return;
        }

        to.MarkFrame(StateAt(segment.End));
        to.Jump(target);
    }
}
