namespace BpfPpcc.Ir;

/// <summary>
/// Operations of the SSA form. Arithmetic is total, with BPF's semantics (RFC 9669, 4.1): a division by zero gives 0, a remainder by zero
/// gives the dividend, shift counts are taken modulo the width, INT_MIN / -1 is INT_MIN and INT_MIN % -1 is 0.
/// </summary>
/// <remarks>
/// Types. Every value lives in a 64-bit register. A value of type I64 is all of it; of a value of type I32 only the low 32 bits mean
/// anything, the upper half is unspecified. Operations of width 64 take I64 and give I64. Operations of width 32 take either (they
/// look at the low half only) and give I32. ZeroExtend and SignExtend make an I64 of anything; loads, byte swaps and calls give I64.
/// </remarks>
public enum IrOpcode : byte
{
    // Leaves: they stand at the head of the entry block

    /// <summary>Immediate. I64 (usable where I32 is wanted).</summary>
    Constant,

    /// <summary>A register that was never written. As an argument of a call it costs nothing, elsewhere it is 0. I64.</summary>
    Undefined,

    /// <summary>Argument number Immediate, 0..4. I64.</summary>
    Argument,

    /// <summary>BPF r10 + Immediate. I64.</summary>
    StackAddress,

    /// <summary>Address of Symbol + Immediate. I64.</summary>
    SymbolAddress,

    /// <summary>One operand per predecessor, in the order of the block's predecessors. Type in Width (32 or 64).</summary>
    Phi,

    // Arithmetic; Width 32 or 64

    Add,
    Subtract,
    Multiply,
    UnsignedDivide,
    UnsignedRemainder,
    SignedDivide,
    SignedRemainder,
    And,
    Or,
    Xor,
    ShiftLeft,
    ShiftRightLogical,
    ShiftRightArithmetic,
    RotateLeft,
    Negate,

    /// <summary>Upper half of the 2 * Width bit product. Not made by lifting.</summary>
    MultiplyHighUnsigned,
    MultiplyHighSigned,

    /// <summary>Condition holds between operands 0 and 1, compared at CompareWidth (32 or 64) ? operand 2 : operand 3. Type in Width.</summary>
    Select,

    // Conversions; always I64

    /// <summary>Low Width (8, 16, 32) bits, zero-extended.</summary>
    ZeroExtend,

    /// <summary>Low Width (8, 16, 32) bits, sign-extended to 64.</summary>
    SignExtend,

    /// <summary>Low Width (16, 32, 64) bits with their bytes reversed, zero-extended.</summary>
    ByteSwap,

    // Memory. The address is operand 0 plus Immediate (a 64-bit wrapping sum). Accesses and calls happen in the order in which they stand.

    /// <summary>Width 8, 16, 32, 64; zero-extended, or sign-extended if IsSigned. I64. Ordered if IsOrdered: an acquire.</summary>
    Load,

    /// <summary>Operand 1 is the value, of which the low Width bits are stored. Ordered if IsOrdered: a release.</summary>
    Store,

    /// <summary>Operand 1: value; Atomic says the operation; Width 32 or 64. Gives the old value, zero-extended, I64. Full barrier on both sides if IsOrdered, relaxed else.</summary>
    AtomicReadModifyWrite,

    /// <summary>Operand 1: expected, operand 2: replacement, low Width bits of each; Width 32 or 64. Gives the old value, zero-extended, I64. Full barrier on both sides.</summary>
    AtomicCompareExchange,

    // Calls. Operands: the arguments, at most five, for r1, r2, ... Give r0, I64.

    /// <summary>An extern C function, Symbol.</summary>
    CallExtern,

    /// <summary>A BPF function of this module, Symbol.</summary>
    CallLocal,

    /// <summary>Operand 0: C function pointer, or a helper's number until it is resolved; then the arguments.</summary>
    CallIndirect,

    /// <summary>Operands: context, map, index. If it succeeds the function ends here; if not, execution goes on. Gives nothing.</summary>
    TailCall,

    // Terminators

    /// <summary>To Targets[0].</summary>
    Jump,

    /// <summary>Condition between operands 0 and 1 at CompareWidth: to Targets[0] if it holds, else to Targets[1], another block.</summary>
    Branch,

    /// <summary>Operand 0 is the result.</summary>
    Return,

    /// <summary>Never reached.</summary>
    Unreachable,
}

/// <summary>Conditions between two values (RFC 9669, 4.3). Test: the bitwise and is not zero.</summary>
public enum IrCondition : byte
{
    None,
    Equal,
    NotEqual,
    UnsignedLess,
    UnsignedLessOrEqual,
    UnsignedGreater,
    UnsignedGreaterOrEqual,
    SignedLess,
    SignedLessOrEqual,
    SignedGreater,
    SignedGreaterOrEqual,
    Test,
    TestZero,
}

/// <summary>Operation of an atomic read-modify-write.</summary>
public enum IrAtomic : byte
{
    None,
    Add,
    Or,
    And,
    Xor,
    Exchange,
}

/// <summary>How much of a value means something.</summary>
public enum IrType : byte
{
    /// <summary>No value.</summary>
    None,

    /// <summary>The low 32 bits; the upper half is unspecified.</summary>
    I32,
    I64,
}
