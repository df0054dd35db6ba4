namespace BpfPpcc.Ppc64;

/// <summary>Processors whose instructions may be used, oldest first, so that "at least" is a comparison.</summary>
public enum Ppc64Cpu
{
    /// <summary>Power ISA 2.07.</summary>
    Power8,

    /// <summary>Power ISA 3.0.</summary>
    Power9,

    /// <summary>Power ISA 3.1.</summary>
    Power10,
}

/// <summary>Calling convention and object conventions.</summary>
public enum Ppc64Abi
{
    /// <summary>64-bit PowerPC ELF ABI 1.9: function descriptors.</summary>
    ElfV1,

    /// <summary>OpenPOWER ELF V2 ABI 1.4: global and local entry points.</summary>
    ElfV2,
}

/// <summary>What the code is for. Byte order, ABI and CPU are values carried here, never constants of the back end.</summary>
/// <param name="IsBigEndian">Byte order of data and instructions.</param>
/// <param name="Abi">Calling convention.</param>
/// <param name="Cpu">Oldest processor that must run the code.</param>
public sealed record TargetDescription(bool IsBigEndian, Ppc64Abi Abi, Ppc64Cpu Cpu)
{
    /// <summary>Bytes at the bottom of a frame that the ABI fixes, for a function that calls (ELFv2 2.2.2; ELFv1 3.2.2 with the parameter save area).</summary>
    public int FrameHeaderSize => Abi switch
    {
        Ppc64Abi.ElfV2 => 32,
        Ppc64Abi.ElfV1 => 112,
    };

    /// <summary>Offset from r1 of the doubleword in which r2 is saved around calls that may change it.</summary>
    public int TocSaveOffset => Abi switch
    {
        Ppc64Abi.ElfV2 => 24,
        Ppc64Abi.ElfV1 => 40,
    };

    /// <summary>Offset from the caller's r1 at which a function saves LR.</summary>
    public static int LinkRegisterSaveOffset => 16;

    /// <summary>Bytes below r1 that leaf code may use and signal handlers leave alone (both ABIs).</summary>
    public static int RedZoneSize => 288;
}
