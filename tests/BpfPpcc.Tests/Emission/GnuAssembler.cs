using System.Buffers.Binary;

namespace BpfPpcc.Tests.Emission;

/// <summary>GNU as as the witness of what instructions mean: text in, words out.</summary>
internal static class GnuAssembler
{
    /// <param name="lines">Assembly text, registers as bare numbers or as %r3.</param>
    public static uint[] Assemble(IEnumerable<string> lines)
    {
        string assembler = Tools.Require("powerpc64le-linux-gnu-as");
        string copier = Tools.Require("powerpc64le-linux-gnu-objcopy");
        string folder = Directory.CreateTempSubdirectory("bpfppcc").FullName;
        try
        {
            string source = Path.Combine(folder, "a.s"), output = Path.Combine(folder, "a.o"), binary = Path.Combine(folder, "a.bin");
            File.WriteAllText(source, string.Join('\n', lines) + "\n");
            Tools.RunChecked(assembler, ["-mpower8", "-mregnames", "-o", output, source]);
            Tools.RunChecked(copier, ["-O", "binary", "-j", ".text", output, binary]);
            byte[] bytes = File.ReadAllBytes(binary);
            var words = new uint[bytes.Length / 4];
            for (int i = 0; i < words.Length; i++)
                words[i] = BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(i * 4));
            return words;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
