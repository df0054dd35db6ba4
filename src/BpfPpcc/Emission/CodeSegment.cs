namespace BpfPpcc.Emission;

/// <summary>
/// Words of a function's code with one way in, at the first, and one way on, behind the last; the jump that may stand there is no word yet.
/// </summary>
/// <param name="label">What branches to the segment name.</param>
/// <param name="start">First word in the code as it was written.</param>
/// <param name="end">Behind the last word.</param>
internal sealed class CodeSegment(int label, int start, int end)
{
    public const int Nowhere = -1;

    public int Label { get; } = label;

    public int Start { get; } = start;

    public int End { get; set; } = end;

    public int Length => End - Start;

    /// <summary>The label that a jump at the end leads to, or <see cref="Nowhere"/>.</summary>
    public int Jump { get; set; } = Nowhere;

    /// <summary>The way on is the segment behind this one.</summary>
    public bool FallsThrough { get; set; }

    /// <summary>In a loop: must not become slower.</summary>
    public bool IsHot { get; init; }

    public CodeSegment? Previous { get; set; }

    public CodeSegment? Next { get; set; }

    /// <summary>Makes two of the segment; the second one, with a label of its own, goes on where this one did.</summary>
    public CodeSegment Split(int at, int label)
    {
        var tail = new CodeSegment(label, at, End) { Jump = Jump, FallsThrough = FallsThrough, IsHot = IsHot, Previous = this, Next = Next };
        if (Next is not null)
            Next.Previous = tail;
        Next = tail;
        End = at;
        Jump = Nowhere;
        FallsThrough = true;
        return tail;
    }

    /// <summary>Takes the segment out; what fell through to it jumps to <paramref name="instead"/>.</summary>
    public void Remove(int instead)
    {
        if (Previous is { FallsThrough: true })
        {
            Previous.FallsThrough = false;
            Previous.Jump = instead;
        }

        if (Previous is not null)
            Previous.Next = Next;
        if (Next is not null)
            Next.Previous = Previous;
    }
}
