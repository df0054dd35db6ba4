namespace BpfPpcc.Verification;

/// <summary>What is known of a 64-bit value as a base of memory accesses.</summary>
internal enum PointerKind : byte
{
    /// <summary>No valid program accesses memory through it: a scalar, or nothing at all. Neutral in joins.</summary>
    None,

    /// <summary>Possibly a pointer, but neither to a context nor to a stack frame.</summary>
    Other,

    /// <summary>Context struct <see cref="PointerClass.Index"/> + <see cref="PointerClass.Offset"/>.</summary>
    Context,

    /// <summary>The same on some paths, and <see cref="Other"/> on the rest.</summary>
    MaybeContext,

    /// <summary>A context at an unknown offset, or it is unknown which context, or a context on some paths and a frame on others.</summary>
    Mixed,

    /// <summary>The end of frame <see cref="PointerClass.Index"/> (its r10) + <see cref="PointerClass.Offset"/>, exactly.</summary>
    Frame,

    /// <summary>
    /// Frame <see cref="PointerClass.Index"/> (any frame if negative) at that offset or anywhere above it, or <see cref="Other"/>.
    /// </summary>
    MaybeFrame,

    /// <summary>The address of function <see cref="PointerClass.Index"/>.</summary>
    Function,
}

/// <summary>An element of the lattice that the pointer-class pass computes with. Its height is six, so that fixpoints come soon.</summary>
internal readonly record struct PointerClass(PointerKind Kind, int Index = 0, int Offset = 0)
{
    /// <summary>Bytes of a stack frame.</summary>
    public const int FrameBytes = 512;

    private const int AnyFrame = -1;

    public static readonly PointerClass None = new(PointerKind.None);
    public static readonly PointerClass Other = new(PointerKind.Other);
    public static readonly PointerClass Mixed = new(PointerKind.Mixed);

    public static PointerClass Context(int structIndex) => new(PointerKind.Context, structIndex);

    public static PointerClass Frame(int depth, int offset) => new(PointerKind.Frame, depth, offset);

    public static PointerClass Function(int function) => new(PointerKind.Function, function);

    public bool IsContextLike => Kind is PointerKind.Context or PointerKind.MaybeContext or PointerKind.Mixed;

    public bool IsFrameLike => Kind is PointerKind.Frame or PointerKind.MaybeFrame;

    /// <summary>The value plus a constant.</summary>
    public PointerClass Plus(long delta) => Kind switch
    {
        PointerKind.None or PointerKind.Other or PointerKind.Mixed => this,
        PointerKind.Function => Other,
        PointerKind.Context or PointerKind.MaybeContext => IsSmall(Offset + delta) ? this with { Offset = (int)(Offset + delta) } : Mixed,
        PointerKind.Frame => IsSmall(Offset + delta) ? this with { Offset = (int)(Offset + delta) } : PlusUnknown(),
        PointerKind.MaybeFrame => this with { Offset = (int)Math.Clamp(Offset + delta, -FrameBytes, 0) },
    };

    /// <summary>The value minus a number that is not known: of a frame, it may be any place.</summary>
    public PointerClass MinusUnknown() => IsFrameLike ? PlusUnknown() with { Offset = -FrameBytes } : PlusUnknown();

    /// <summary>The value plus a number that is not known; an index into a frame is taken to be no less than 0.</summary>
    public PointerClass PlusUnknown() => Kind switch
    {
        PointerKind.None or PointerKind.Other or PointerKind.Mixed or PointerKind.MaybeFrame => this,
        PointerKind.Function => Other,
        PointerKind.Context or PointerKind.MaybeContext => Mixed,
        PointerKind.Frame => new PointerClass(PointerKind.MaybeFrame, Index, Math.Clamp(Offset, -FrameBytes, 0)),
    };

    /// <summary>What holds on either of two paths.</summary>
    public static PointerClass Join(PointerClass a, PointerClass b)
    {
        if (a == b || b.Kind == PointerKind.None)
            return a;
        if (a.Kind == PointerKind.None)
            return b;
        if (a.Kind == PointerKind.Function)
            a = Other;
        if (b.Kind == PointerKind.Function)
            b = Other;
        if (a.IsContextLike || b.IsContextLike)
            return JoinContext(a, b);
        return a.IsFrameLike || b.IsFrameLike ? JoinFrame(a, b) : Other;
    }

    private static PointerClass JoinContext(PointerClass a, PointerClass b)
    {
        if (a.Kind == PointerKind.Mixed || b.Kind == PointerKind.Mixed || a.IsFrameLike || b.IsFrameLike)
            return Mixed;
        PointerClass context = a.IsContextLike ? a : b;
        PointerClass second = a.IsContextLike ? b : a;
        return second.Kind == PointerKind.Other || (second.Index == context.Index && second.Offset == context.Offset)
            ? context with { Kind = PointerKind.MaybeContext }
            : Mixed;
    }

    private static PointerClass JoinFrame(PointerClass a, PointerClass b)
    {
        if (a.Kind == PointerKind.Other || b.Kind == PointerKind.Other)
            return (a.IsFrameLike ? a : b).PlusUnknown();
        if (a.Index != b.Index)
            return new PointerClass(PointerKind.MaybeFrame, AnyFrame, -FrameBytes);
        if (a.Kind == PointerKind.Frame && b.Kind == PointerKind.Frame)
            return new PointerClass(PointerKind.MaybeFrame, a.Index, Math.Clamp(Math.Min(a.Offset, b.Offset), -FrameBytes, 0));
        // A loop that moves a pointer would lower the bound step by step; go down at once.
        PointerClass maybe = a.Kind == PointerKind.MaybeFrame ? a : b;
        PointerClass second = a.Kind == PointerKind.MaybeFrame ? b : a;
        return second.Offset >= maybe.Offset && second.Kind == PointerKind.Frame ? maybe
            : second.Offset == maybe.Offset ? maybe
            : maybe with { Offset = -FrameBytes };
    }

    private static bool IsSmall(long offset) => offset is >= -(1 << 29) and <= 1 << 29;
}
