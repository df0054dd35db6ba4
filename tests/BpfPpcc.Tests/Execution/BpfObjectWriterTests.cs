using BpfPpcc.Tests.Differential;
using Xunit;

namespace BpfPpcc.Tests.Execution;

/// <summary>LLVM's tools read the objects and the assembly that the tests write, and find in them what was meant.</summary>
public sealed class BpfObjectWriterTests
{
    private const string Readelf = "llvm-readelf-19", Objdump = "llvm-objdump-19", Objcopy = "llvm-objcopy-19", Mc = "llvm-mc-19";

    [Fact]
    public void Readelf_and_objdump_accept_an_object_of_many_units()
    {
        Toolchain.Require(Readelf, Objdump);
        TestUnit[] units = Units(100);
        string path = Path.Combine(TestPaths.Temporary, "units.o");
        File.WriteAllBytes(path, BpfObjectWriter.Write(units));
        Toolchain.Outcome tables = Toolchain.Run(Readelf, ["-aW", path]);
        Assert.Equal(0, tables.ExitCode);
        Assert.Empty(tables.Error);
        Assert.DoesNotContain("warning", tables.Output, StringComparison.OrdinalIgnoreCase);
        Toolchain.Outcome code = Toolchain.Run(Objdump, ["-dr", "--mcpu=v4", path]);
        Assert.Equal(0, code.ExitCode);
        Assert.Empty(code.Error);
        // LLVM 19 does not know load_acquire (0x100) and store_release (0x110).
        Assert.DoesNotContain(
            code.Output.Split('\n'), static line => line.Contains("<unknown>", StringComparison.Ordinal) && !line.Contains(" 01 00 00\t", StringComparison.Ordinal));
        for (int u = 0; u < units.Length; u++)
        {
            foreach (TestFunction function in units[u].Functions)
                Assert.Contains($"<{BpfObjectWriter.SymbolName(u, function.Name)}>:", code.Output, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Llvm_assembles_printed_functions_to_the_same_slots()
    {
        Toolchain.Require(Mc, Objcopy);
        string source = Path.Combine(TestPaths.Temporary, "printed.s"), path = Path.ChangeExtension(source, ".o"), binary = Path.ChangeExtension(source, ".bin");
        foreach (TestUnit unit in Units(60))
        {
            foreach (TestFunction function in unit.Functions)
            {
                // References become plain numbers: relocations are the other test's matter. What LLVM 19 cannot write gives way.
                var plain = new TestFunction { Name = "f", Place = FunctionPlace.Static, Slots = [.. function.Slots.Select(Plain)] };
                File.WriteAllText(source, BpfAssemblyPrinter.Print(plain, static _ => "0"));
                Toolchain.RunChecked(Mc, ["--triple=bpfel", "--mcpu=v4", "--filetype=obj", source, "-o", path]);
                Toolchain.RunChecked(Objcopy, ["-O", "binary", "--only-section=.text", path, binary]);
                byte[] bytes = File.ReadAllBytes(binary);
                Slot[] slots = [.. Enumerable.Range(0, bytes.Length / Slot.Size).Select(i => Slot.Decode(bytes.AsSpan(i * Slot.Size)))];
                Assert.Equal(plain.Slots, slots);
            }
        }
    }

    private static TestUnit[] Units(int count) => [.. Enumerable.Range(0, count).Select(static i => ProgramGenerator.Generate((ulong)i)).Where(static u => u.SlotCount < 5_000)];

    private static Slot Plain(Slot slot)
    {
        if (slot.Opcode == 0x85)
            return Slot.CallHelper(0);
        if ((slot.Opcode & 0xe7) == 0x40)
            return slot with { Imm = 0 };
        return (slot.Opcode & 0xe7) == 0xc3 && slot.Imm is 0x100 or 0x110 ? Slot.Exit : slot;
    }
}
