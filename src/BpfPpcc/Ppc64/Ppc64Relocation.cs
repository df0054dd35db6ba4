namespace BpfPpcc.Ppc64;

/// <summary>Relocation types of the output, numbers of the ELFv2 ABI, 3.5.3 (the same in ELFv1 where both have them).</summary>
public enum Ppc64Relocation : uint
{
    R_PPC64_ADDR32 = 1,
    R_PPC64_REL24 = 10,
    R_PPC64_REL32 = 26,
    R_PPC64_ADDR64 = 38,
    R_PPC64_TOC16_LO = 48,
    R_PPC64_TOC16_HA = 50,
    R_PPC64_TOC = 51,
    R_PPC64_TOC16_LO_DS = 64,
    R_PPC64_REL24_NOTOC = 116,
    R_PPC64_PCREL34 = 132,
    R_PPC64_GOT_PCREL34 = 133,
    R_PPC64_REL16_LO = 250,
    R_PPC64_REL16_HA = 252,
}
