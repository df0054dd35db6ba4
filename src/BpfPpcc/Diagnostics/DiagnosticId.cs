namespace BpfPpcc.Diagnostics;

/// <summary>
/// Stable numbers of all diagnostics; they print as BPFnnnn. A number is never given a second meaning: one that is no longer
/// reported stays here as a comment. Each room has a block of its own.
/// </summary>
public enum DiagnosticId
{
    // 0001-0099 command line, files and the pipeline as a whole
    UsageError = 1,
    InputNotReadable = 2,
    OutputNotWritable = 3,
    Unverified = 4,

    // 0100-0199 ELF
    NotElf = 100,
    NotElf64 = 101,
    NotBpf = 102,
    ElfTruncated = 103,
    ElfMalformed = 104,
    BigEndianInput = 105,

    // 0200-0299 BTF
    BtfMalformed = 200,

    // 0300-0499 loading: programs, maps, globals, relocations
    NoPrograms = 300,
    ProgramMalformed = 301,
    MapMalformed = 302,
    RelocationMalformed = 303,
    RelocationUnsupported = 304,
    SymbolUndefined = 305,
    // 306 CoreRelocationUnsupported, 307 ExternUnsupported
    MapFieldIgnored = 308,
    ExternMapUnknown = 309,
    CoreRelocationMalformed = 310,
    CoreRelocationAmbiguous = 311,
    CoreRelocationFailed = 312,
    CoreTargetAssumed = 313,
    TargetTypesMissing = 314,
    ProgramTypeUnknown = 315,
    TypeOverrideUnknown = 316,
    ConfigurationMissing = 317,
    ConfigurationMalformed = 318,

    // 1000-1099 structure of the byte code (before any walk)
    UnknownOpcode = 1000,
    ReservedFieldUsed = 1001,
    InvalidRegister = 1002,
    FramePointerWritten = 1003,
    JumpOutOfRange = 1004,
    JumpIntoLoadImmediate64 = 1005,
    FallsOffTheEnd = 1006,
    LoadImmediate64Truncated = 1007,
    CallTargetInvalid = 1008,
    EmptyProgram = 1009,
    CallDepthExceeded = 1010,
    RecursiveCall = 1011,
    ConstantDivisionByZero = 1012,
    ConstantShiftOutOfRange = 1013,
    StackTooLarge = 1014,
    StackAboveFrame = 1015,
    ReferenceUnresolved = 1016,
    ProgramTooLarge = 1017,
    AddressSpaceCastUnsupported = 1018,
    CallbackDepthExceeded = 1019,
    ArenaUnsupported = 1020,

    // 1100-1199 pointer classes
    ContextPointerAmbiguous = 1100,
    ContextPointerFieldAccess = 1101,

    // 3000-3099 code generation
    IndirectCallUnresolved = 3000,
    InstructionUnsupported = 3001,
    FunctionTooLarge = 3002,

    // 3100-3199 object writing
    SymbolNameReserved = 3100,
    SymbolDuplicate = 3101,
    RenameUnknown = 3102,
    InitialValueInvalid = 3103,
    MapTooLarge = 3104,
}
