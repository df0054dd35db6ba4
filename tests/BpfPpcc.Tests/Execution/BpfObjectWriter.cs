using System.Buffers.Binary;
using System.Text;

namespace BpfPpcc.Tests.Execution;

/// <summary>
/// Test units -> one BPF ELF object, little-endian, without BTF: programs in one section, subprograms in ".text", legacy map definitions in
/// "maps". References are written in each of the ways in which clang writes them: calls of static functions without a relocation within a section
/// and through the section's symbol from another, calls of global functions through their symbol.
/// </summary>
public static class BpfObjectWriter
{
    private const int Text = 1, Socket = 2, Maps = 3, Data = 4, Bss = 5, Rodata = 6, License = 7, RelText = 8, RelSocket = 9;
    private const int SymbolTable = 10, StringTable = 11, SectionNames = 12, SectionCount = 13;

    private const int MapDefinitionSize = 20;

    /// <summary>The name of a unit's function, map or variable in the object.</summary>
    public static string SymbolName(int unit, string name) => $"u{unit}_{name}";

    public static byte[] Write(IReadOnlyList<TestUnit> units) => Write(units, [.. Enumerable.Range(0, units.Count)], "socket");

    /// <param name="members">Indices of the units that go into the object; symbols have their names from them.</param>
    /// <param name="programSection">Where programs go. What libbpf does not know by that name has no kernel program type.</param>
    public static byte[] Write(IReadOnlyList<TestUnit> units, IReadOnlyList<int> members, string programSection)
    {
        var writer = new Writer();
        foreach (int i in members)
            writer.Place(i, units[i]);
        foreach (int i in members)
            writer.Fill(i, units[i]);
        return writer.Finish(programSection);
    }

    private static int SectionOf(TestVariable variable) => variable.Section switch
    {
        ".data" => Data,
        ".bss" => Bss,
        _ => Rodata,
    };

    private readonly record struct Symbol(string Name, int Info, int Section, long Value, long Size);

    private sealed class Writer
    {
        private readonly List<byte>[] _contents = [.. Enumerable.Range(0, SectionCount).Select(static _ => new List<byte>())];
        private readonly List<Symbol> _locals = [];
        private readonly List<Symbol> _globals = [];
        private readonly Dictionary<string, (int Section, long Offset)> _places = [];
        private readonly Dictionary<string, int> _globalIndex = [];
        private readonly List<(int Section, long Offset, int Type, string? Name, int TargetSection)> _relocations = [];
        private int _bssSize;

        /// <summary>Gives every function, map and variable of a unit its section and offset, and a symbol.</summary>
        public void Place(int unit, TestUnit what)
        {
            foreach (TestFunction function in what.Functions)
            {
                int section = function.Place == FunctionPlace.Program ? Socket : Text;
                long size = function.Slots.Count * Slot.Size;
                Define(SymbolName(unit, function.Name), 2, function.Place != FunctionPlace.Static, section, _contents[section].Count, size);
                _contents[section].AddRange(new byte[size]);
            }

            Span<byte> definition = stackalloc byte[MapDefinitionSize];
            definition.Clear();
            foreach (TestMap map in what.Maps)
            {
                Define(SymbolName(unit, map.Name), 1, true, Maps, _contents[Maps].Count, MapDefinitionSize);
                BinaryPrimitives.WriteInt32LittleEndian(definition, map.Programs is null ? 2 : 3);
                BinaryPrimitives.WriteInt32LittleEndian(definition[4..], 4);
                BinaryPrimitives.WriteInt32LittleEndian(definition[8..], map.ValueSize);
                BinaryPrimitives.WriteInt32LittleEndian(definition[12..], map.MaxEntries);
                _contents[Maps].AddRange(definition);
            }

            foreach (TestVariable variable in what.Variables)
            {
                int section = SectionOf(variable);
                long offset;
                if (section == Bss)
                {
                    offset = _bssSize;
                    _bssSize += variable.Contents.Length + 7 & ~7;
                }
                else
                {
                    offset = _contents[section].Count;
                    _contents[section].AddRange(variable.Contents);
                    Align(_contents[section]);
                }

                Define(SymbolName(unit, variable.Name), 1, true, section, offset, variable.Contents.Length);
            }
        }

        private void Define(string name, int type, bool isGlobal, int section, long value, long size)
        {
            _places.Add(name, (section, value));
            if (isGlobal)
                _globalIndex.Add(name, _globals.Count);
            (isGlobal ? _globals : _locals).Add(new Symbol(name, (isGlobal ? 0x10 : 0) | type, section, value, size));
        }

        /// <summary>Writes the code of a unit and its relocations.</summary>
        public void Fill(int unit, TestUnit what)
        {
            Span<byte> encoded = stackalloc byte[Slot.Size];
            foreach (TestFunction function in what.Functions)
            {
                (int section, long start) = _places[SymbolName(unit, function.Name)];
                var slots = new List<Slot>(function.Slots);
                foreach (SlotReference reference in function.References)
                    slots[reference.Slot] = Resolve(unit, what, reference, slots[reference.Slot], section, start + reference.Slot * Slot.Size);
                for (int i = 0; i < slots.Count; i++)
                {
                    slots[i].Encode(encoded);
                    for (int b = 0; b < Slot.Size; b++)
                        _contents[section][(int)start + i * Slot.Size + b] = encoded[b];
                }
            }
        }

        private Slot Resolve(int unit, TestUnit what, SlotReference reference, Slot slot, int section, long offset)
        {
            const int Relocate64 = 1, Relocate32 = 10;
            switch (reference.Kind)
            {
                case SlotReferenceKind.Map:
                    _relocations.Add((section, offset, Relocate64, SymbolName(unit, what.Maps[reference.Target].Name), 0));
                    return slot with { Imm = 0 };
                case SlotReferenceKind.Variable:
                    string variable = SymbolName(unit, what.Variables[reference.Target].Name);
                    // By its own symbol or by that of the section, as clang does for global and static variables.
                    bool bySection = (unit + reference.Slot) % 2 == 0;
                    _relocations.Add((section, offset, Relocate64, bySection ? null : variable, _places[variable].Section));
                    return slot with { Imm = reference.Addend + (bySection ? (int)_places[variable].Offset : 0) };
                case SlotReferenceKind.FunctionAddress:
                    string function = SymbolName(unit, what.Functions[reference.Target].Name);
                    bool isLocal = what.Functions[reference.Target].Place == FunctionPlace.Static;
                    _relocations.Add((section, offset, Relocate64, isLocal ? null : function, _places[function].Section));
                    return slot with { Src = 4, Imm = isLocal ? (int)_places[function].Offset : 0 };
                case SlotReferenceKind.FunctionCall:
                    string callee = SymbolName(unit, what.Functions[reference.Target].Name);
                    if (what.Functions[reference.Target].Place != FunctionPlace.Static)
                    {
                        _relocations.Add((section, offset, Relocate32, callee, 0));
                        return slot with { Imm = -1 };
                    }

                    if (section == Text)
                        return slot with { Imm = (int)((_places[callee].Offset - offset) / Slot.Size - 1) };
                    _relocations.Add((section, offset, Relocate32, null, Text));
                    return slot with { Imm = (int)(_places[callee].Offset / Slot.Size - 1) };
            }

            throw new InvalidOperationException($"{reference}");
        }

        public byte[] Finish(string programSection)
        {
            _contents[License].AddRange("GPL\0"u8);
            WriteSymbolsAndRelocations(out int firstGlobal);
            string[] names =
            [
                "", ".text", programSection, "maps", ".data", ".bss", ".rodata", "license", ".rel.text", ".rel" + programSection, ".symtab", ".strtab", ".shstrtab",
            ];
            int[] nameOffsets = [.. names.Select(name => AddString(_contents[SectionNames], name))];
            var file = new List<byte>(new byte[64]);
            var headers = new byte[SectionCount * 64];
            for (int i = 1; i < SectionCount; i++)
            {
                while (file.Count % 8 != 0)
                    file.Add(0);
                (int type, int flags, int link, int info, int alignment, int entrySize) = i switch
                {
                    Text or Socket => (1, 6, 0, 0, 8, 0),
                    Maps => (1, 3, 0, 0, 4, 0),
                    Data => (1, 3, 0, 0, 8, 0),
                    License => (1, 3, 0, 0, 1, 0),
                    Bss => (8, 3, 0, 0, 8, 0),
                    Rodata => (1, 2, 0, 0, 8, 0),
                    RelText => (9, 0x40, SymbolTable, Text, 8, 16),
                    RelSocket => (9, 0x40, SymbolTable, Socket, 8, 16),
                    SymbolTable => (2, 0, StringTable, firstGlobal, 8, 24),
                    _ => (3, 0, 0, 0, 1, 0),
                };
                Span<byte> header = headers.AsSpan(i * 64, 64);
                BinaryPrimitives.WriteInt32LittleEndian(header, nameOffsets[i]);
                BinaryPrimitives.WriteInt32LittleEndian(header[4..], type);
                BinaryPrimitives.WriteInt64LittleEndian(header[8..], flags);
                BinaryPrimitives.WriteInt64LittleEndian(header[24..], file.Count);
                BinaryPrimitives.WriteInt64LittleEndian(header[32..], i == Bss ? _bssSize : _contents[i].Count);
                BinaryPrimitives.WriteInt32LittleEndian(header[40..], link);
                BinaryPrimitives.WriteInt32LittleEndian(header[44..], info);
                BinaryPrimitives.WriteInt64LittleEndian(header[48..], alignment);
                BinaryPrimitives.WriteInt64LittleEndian(header[56..], entrySize);
                file.AddRange(_contents[i]);
            }

            while (file.Count % 8 != 0)
                file.Add(0);
            int headerOffset = file.Count;
            file.AddRange(headers);
            byte[] bytes = [.. file];
            WriteFileHeader(bytes, headerOffset);
            return bytes;
        }

        private void WriteSymbolsAndRelocations(out int firstGlobal)
        {
            AddString(_contents[StringTable], "");
            int[] ofSections = [Text, Socket, Data, Bss, Rodata];
            AddSymbol(default);
            foreach (int section in ofSections)
                AddSymbol(new Symbol("", 3, section, 0, 0));
            foreach (Symbol symbol in _locals)
                AddSymbol(symbol);
            firstGlobal = 1 + ofSections.Length + _locals.Count;
            _globals.Add(new Symbol("_license", 0x11, License, 0, 4));
            foreach (Symbol symbol in _globals)
                AddSymbol(symbol);

            Span<byte> entry = stackalloc byte[16];
            foreach ((int section, long offset, int type, string? name, int target) in _relocations)
            {
                long symbol = name is null ? 1 + Array.IndexOf(ofSections, target) : firstGlobal + _globalIndex[name];
                BinaryPrimitives.WriteInt64LittleEndian(entry, offset);
                BinaryPrimitives.WriteInt64LittleEndian(entry[8..], symbol << 32 | (uint)type);
                _contents[section == Text ? RelText : RelSocket].AddRange(entry);
            }
        }

        private void AddSymbol(Symbol symbol)
        {
            Span<byte> entry = stackalloc byte[24];
            entry.Clear();
            BinaryPrimitives.WriteInt32LittleEndian(entry, string.IsNullOrEmpty(symbol.Name) ? 0 : AddString(_contents[StringTable], symbol.Name));
            entry[4] = (byte)symbol.Info;
            BinaryPrimitives.WriteInt16LittleEndian(entry[6..], (short)symbol.Section);
            BinaryPrimitives.WriteInt64LittleEndian(entry[8..], symbol.Value);
            BinaryPrimitives.WriteInt64LittleEndian(entry[16..], symbol.Size);
            _contents[SymbolTable].AddRange(entry);
        }

        private static void WriteFileHeader(Span<byte> file, int sectionHeaders)
        {
            const int MachineBpf = 247;
            ReadOnlySpan<byte> identification = [0x7f, (byte)'E', (byte)'L', (byte)'F', 2, 1, 1];
            identification.CopyTo(file);
            BinaryPrimitives.WriteInt16LittleEndian(file[16..], 1);
            BinaryPrimitives.WriteInt16LittleEndian(file[18..], MachineBpf);
            BinaryPrimitives.WriteInt32LittleEndian(file[20..], 1);
            BinaryPrimitives.WriteInt64LittleEndian(file[40..], sectionHeaders);
            BinaryPrimitives.WriteInt16LittleEndian(file[52..], 64);
            BinaryPrimitives.WriteInt16LittleEndian(file[58..], 64);
            BinaryPrimitives.WriteInt16LittleEndian(file[60..], SectionCount);
            BinaryPrimitives.WriteInt16LittleEndian(file[62..], SectionNames);
        }

        private static int AddString(List<byte> table, string text)
        {
            int offset = table.Count;
            table.AddRange(Encoding.ASCII.GetBytes(text));
            table.Add(0);
            return offset;
        }

        private static void Align(List<byte> contents)
        {
            while (contents.Count % 8 != 0)
                contents.Add(0);
        }
    }
}
