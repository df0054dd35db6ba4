using BpfPpcc.Btf;
using BpfPpcc.Diagnostics;
using BpfPpcc.Elf;

namespace BpfPpcc.Loading;

/// <summary>Reads the types of the system that programs will run on, which CO-RE relocations are resolved with.</summary>
public static class TargetTypes
{
    /// <summary>
    /// The types in a file: a bare .BTF section (as /sys/kernel/btf/vmlinux is one) or an ELF file with such a section (vmlinux, a module, an
    /// object compiled with BTF). Null after one error.
    /// </summary>
    /// <param name="file">The whole file; it must stay unchanged as long as the types are used.</param>
    /// <param name="fileName">As the user named it.</param>
    /// <param name="baseTypes">The types that the file continues (split BTF), or null.</param>
    public static BtfTypes? Read(ReadOnlyMemory<byte> file, string fileName, BtfTypes? baseTypes, DiagnosticBag diagnostics)
    {
        if (BtfParser.IsBtf(file.Span, out bool bigEndian))
            return BtfParser.Parse(file, bigEndian, baseTypes, fileName, diagnostics);
        if (!ElfReader.TryRead(file, fileName, diagnostics, out ElfFile? elf))
            return null;
        if (elf!.FindSection(".BTF") is ElfSection { Contents.IsEmpty: false } section)
            return BtfParser.Parse(section.Contents, elf.IsBigEndian, baseTypes, fileName, diagnostics);
        const string Help = "make it with pahole -J, or take /sys/kernel/btf/vmlinux of the target";
        diagnostics.Error(DiagnosticId.TargetTypesMissing, "the file has no type information (section .BTF)", new DiagnosticLocation(fileName), Help);
        return null;
    }
}
