namespace BpfPpcc.Ir;

/// <summary>The algebra of <see cref="IrCondition"/>: what holds of a condition whatever the values are.</summary>
public static class IrConditions
{
    /// <summary>The condition that holds exactly where this one does not.</summary>
    public static IrCondition Negated(this IrCondition condition) => condition switch
    {
        IrCondition.None => IrCondition.None,
        IrCondition.Equal => IrCondition.NotEqual,
        IrCondition.NotEqual => IrCondition.Equal,
        IrCondition.UnsignedLess => IrCondition.UnsignedGreaterOrEqual,
        IrCondition.UnsignedLessOrEqual => IrCondition.UnsignedGreater,
        IrCondition.UnsignedGreater => IrCondition.UnsignedLessOrEqual,
        IrCondition.UnsignedGreaterOrEqual => IrCondition.UnsignedLess,
        IrCondition.SignedLess => IrCondition.SignedGreaterOrEqual,
        IrCondition.SignedLessOrEqual => IrCondition.SignedGreater,
        IrCondition.SignedGreater => IrCondition.SignedLessOrEqual,
        IrCondition.SignedGreaterOrEqual => IrCondition.SignedLess,
        IrCondition.Test => IrCondition.TestZero,
        IrCondition.TestZero => IrCondition.Test,
    };

    /// <summary>The condition that holds between b and a if this one holds between a and b.</summary>
    public static IrCondition Mirrored(this IrCondition condition) => condition switch
    {
        IrCondition.UnsignedLess => IrCondition.UnsignedGreater,
        IrCondition.UnsignedLessOrEqual => IrCondition.UnsignedGreaterOrEqual,
        IrCondition.UnsignedGreater => IrCondition.UnsignedLess,
        IrCondition.UnsignedGreaterOrEqual => IrCondition.UnsignedLessOrEqual,
        IrCondition.SignedLess => IrCondition.SignedGreater,
        IrCondition.SignedLessOrEqual => IrCondition.SignedGreaterOrEqual,
        IrCondition.SignedGreater => IrCondition.SignedLess,
        IrCondition.SignedGreaterOrEqual => IrCondition.SignedLessOrEqual,
        IrCondition.None or IrCondition.Equal or IrCondition.NotEqual or IrCondition.Test or IrCondition.TestZero => condition,
    };

    /// <summary>The same condition between values that are not negative, where the order of signed and unsigned numbers is one.</summary>
    public static IrCondition AsUnsigned(this IrCondition condition) => condition switch
    {
        IrCondition.SignedLess => IrCondition.UnsignedLess,
        IrCondition.SignedLessOrEqual => IrCondition.UnsignedLessOrEqual,
        IrCondition.SignedGreater => IrCondition.UnsignedGreater,
        IrCondition.SignedGreaterOrEqual => IrCondition.UnsignedGreaterOrEqual,
        IrCondition.None or IrCondition.Equal or IrCondition.NotEqual or IrCondition.UnsignedLess or IrCondition.UnsignedLessOrEqual
            or IrCondition.UnsignedGreater or IrCondition.UnsignedGreaterOrEqual or IrCondition.Test or IrCondition.TestZero => condition,
    };

    /// <summary>It orders its values as signed numbers.</summary>
    public static bool IsSigned(this IrCondition condition) => condition is IrCondition.SignedLess or IrCondition.SignedLessOrEqual
        or IrCondition.SignedGreater or IrCondition.SignedGreaterOrEqual;
}
