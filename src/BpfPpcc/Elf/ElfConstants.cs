namespace BpfPpcc.Elf;

/// <summary>
/// Constants of the System V gABI (ELF header, sections, symbols) in its spelling, with the machine numbers, GNU extensions and sizes of
/// ELFCLASS64 structures that BPF input and PPC64 output need. Relocation numbers belong to the machines and are not here.
/// </summary>
public static class ElfConstants
{
    // Sizes of ELFCLASS64 structures in bytes.
    public const int EhdrSize = 64;
    public const int ShdrSize = 64;
    public const int SymSize = 24;
    public const int RelSize = 16;
    public const int RelaSize = 24;

    // e_ident
    public const byte ELFCLASS32 = 1;
    public const byte ELFCLASS64 = 2;
    public const byte ELFDATA2LSB = 1;
    public const byte ELFDATA2MSB = 2;
    public const byte EV_CURRENT = 1;
    public const byte ELFOSABI_NONE = 0;
    public const byte ELFOSABI_GNU = 3;

    // e_type
    public const ushort ET_NONE = 0;
    public const ushort ET_REL = 1;
    public const ushort ET_EXEC = 2;
    public const ushort ET_DYN = 3;
    public const ushort ET_CORE = 4;

    // e_machine
    public const ushort EM_NONE = 0;
    public const ushort EM_PPC64 = 21;
    public const ushort EM_BPF = 247;

    // Special section indices
    public const ushort SHN_UNDEF = 0;
    public const ushort SHN_LORESERVE = 0xff00;
    public const ushort SHN_ABS = 0xfff1;
    public const ushort SHN_COMMON = 0xfff2;
    public const ushort SHN_XINDEX = 0xffff;

    // sh_type
    public const uint SHT_NULL = 0;
    public const uint SHT_PROGBITS = 1;
    public const uint SHT_SYMTAB = 2;
    public const uint SHT_STRTAB = 3;
    public const uint SHT_RELA = 4;
    public const uint SHT_HASH = 5;
    public const uint SHT_DYNAMIC = 6;
    public const uint SHT_NOTE = 7;
    public const uint SHT_NOBITS = 8;
    public const uint SHT_REL = 9;
    public const uint SHT_DYNSYM = 11;
    public const uint SHT_INIT_ARRAY = 14;
    public const uint SHT_FINI_ARRAY = 15;
    public const uint SHT_PREINIT_ARRAY = 16;
    public const uint SHT_GROUP = 17;
    public const uint SHT_SYMTAB_SHNDX = 18;

    // sh_flags
    public const ulong SHF_WRITE = 0x1;
    public const ulong SHF_ALLOC = 0x2;
    public const ulong SHF_EXECINSTR = 0x4;
    public const ulong SHF_MERGE = 0x10;
    public const ulong SHF_STRINGS = 0x20;
    public const ulong SHF_INFO_LINK = 0x40;
    public const ulong SHF_LINK_ORDER = 0x80;
    public const ulong SHF_OS_NONCONFORMING = 0x100;
    public const ulong SHF_GROUP = 0x200;
    public const ulong SHF_TLS = 0x400;
    public const ulong SHF_COMPRESSED = 0x800;
    public const ulong SHF_GNU_RETAIN = 0x200000;
    public const ulong SHF_EXCLUDE = 0x80000000;

    // Symbol binding: high four bits of st_info
    public const byte STB_LOCAL = 0;
    public const byte STB_GLOBAL = 1;
    public const byte STB_WEAK = 2;
    public const byte STB_GNU_UNIQUE = 10;

    // Symbol type: low four bits of st_info
    public const byte STT_NOTYPE = 0;
    public const byte STT_OBJECT = 1;
    public const byte STT_FUNC = 2;
    public const byte STT_SECTION = 3;
    public const byte STT_FILE = 4;
    public const byte STT_COMMON = 5;
    public const byte STT_TLS = 6;
    public const byte STT_GNU_IFUNC = 10;

    // Symbol visibility: low two bits of st_other
    public const byte STV_DEFAULT = 0;
    public const byte STV_INTERNAL = 1;
    public const byte STV_HIDDEN = 2;
    public const byte STV_PROTECTED = 3;
}
