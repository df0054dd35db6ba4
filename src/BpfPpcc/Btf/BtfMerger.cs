using System.Runtime.InteropServices;
using System.Text;

namespace BpfPpcc.Btf;

/// <summary>A type of one of the inputs of a merge.</summary>
public readonly record struct BtfInputType(int Input, uint Id);

/// <summary>A variable of a merged DATASEC (btf.rst, 2.2.15).</summary>
public readonly record struct BtfPlacedVariable(BtfInputType Variable, uint Offset, uint Size);

/// <summary>A DATASEC of the result.</summary>
/// <param name="Variables">By offset.</param>
public sealed record BtfMergedSection(string Name, uint Size, IReadOnlyList<BtfPlacedVariable> Variables);

/// <summary>
/// Merges the types of several objects into one .BTF section in which equal types stand once. Two types are equal if the graphs that can
/// be reached from them are: types start in classes by what they say themselves, and a class is split as long as its members refer to
/// types of different classes (partition refinement), so that cycles need no special care. A forward declaration stands for the one struct
/// or union of its name, if there is just one. Variables are never equal to others: two statics of one name are two variables.
/// </summary>
public sealed class BtfMerger
{
    /// <summary>Rounds of refinement; real programs need some ten. Types that need more are left as they are, all different.</summary>
    private const int MaximumRounds = 256;

    private const int MaximumLength = 0xffff;

    private readonly IReadOnlyList<BtfTypes?> _inputs;

    /// <summary>By input: what its type ids begin at when all types are numbered through; 0 is void.</summary>
    private readonly int[] _bases;

    private readonly BtfInputType[] _types;

    /// <summary>By number: the number of the type that stands for it, mostly itself.</summary>
    private readonly int[] _standsFor;

    private readonly Dictionary<uint, uint>[] _strings;
    private long _stringBudget;
    private int[] _classes = [];
    private uint[] _idOfClass = [];

    /// <param name="inputs">By input; null for one without types.</param>
    /// <param name="stringBudget">
    /// Characters that are copied at most: strings of hostile input overlap. Those behind it become empty.
    /// </param>
    public BtfMerger(IReadOnlyList<BtfTypes?> inputs, long stringBudget)
    {
        _inputs = inputs;
        _stringBudget = stringBudget;
        _bases = new int[inputs.Count];
        _strings = new Dictionary<uint, uint>[inputs.Count];
        var types = new List<BtfInputType> { default };
        for (int i = 0; i < inputs.Count; i++)
        {
            _strings[i] = [];
            _bases[i] = types.Count - 1;
            for (uint id = 1; id < (inputs[i]?.Count ?? 1); id++)
                types.Add(new BtfInputType(i, id));
        }

        _types = [.. types];
        _standsFor = new int[_types.Length];
        for (int i = 0; i < _standsFor.Length; i++)
            _standsFor[i] = i;
    }

    /// <summary>Before <see cref="Write"/>: <paramref name="type"/> (an extern) is to become <paramref name="definition"/>, which stays.</summary>
    public void Replace(BtfInputType type, BtfInputType definition) => _standsFor[NumberOf(type)] = _standsFor[NumberOf(definition)];

    /// <summary>Writes all types but the DATASECs of the inputs, and <paramref name="sections"/> instead of these.</summary>
    public void Write(BtfWriter writer, IReadOnlyList<BtfMergedSection> sections)
    {
        Classify();
        var first = new List<int>();
        _idOfClass = new uint[_types.Length];
        for (int number = 1; number < _types.Length; number++)
        {
            if (_standsFor[number] != number || TypeAt(number).Kind == BtfKind.DATASEC || _idOfClass[_classes[number]] != 0)
                continue;
            first.Add(number);
            _idOfClass[_classes[number]] = (uint)first.Count;
        }

        foreach (int number in first)
            WriteType(writer, number);
        foreach (BtfMergedSection section in sections)
            WriteSection(writer, section);
    }

    /// <summary>After <see cref="Write"/>: the id of a type in the result. DATASECs have none and give 0.</summary>
    public uint IdOf(BtfInputType type) => type.Id == 0 ? 0 : IdOf(NumberOf(type));

    /// <summary>The offset in the result of a string of an input.</summary>
    public uint StringOf(BtfWriter writer, int input, uint offset)
    {
        if (!_strings[input].TryGetValue(offset, out uint merged))
        {
            string text = _stringBudget > 0 ? _inputs[input]!.TryGetString(offset) ?? "" : "";
            _stringBudget -= text.Length;
            merged = writer.AddString(text);
            _strings[input].Add(offset, merged);
        }

        return merged;
    }

    private void Classify()
    {
        do
        {
            if (!TryRefine())
            {
                for (int i = 0; i < _classes.Length; i++)
                    _classes[i] = i;
                return;
            }
        }
        while (ReplaceForwardDeclarations());
    }

    /// <summary>Puts every type into the class of its equals; false if there is no end in sight.</summary>
    private bool TryRefine()
    {
        var keys = new Dictionary<string, int>();
        var key = new List<uint>();
        _classes = new int[_types.Length];
        int count = 1;
        for (int number = 1; number < _types.Length; number++)
        {
            key.Clear();
            string text = DescribeOwn(number, key);
            _classes[number] = ClassOf(text, keys, ref count);
        }

        for (int round = 0; round < MaximumRounds; round++)
        {
            keys.Clear();
            var refined = new int[_types.Length];
            int refinedCount = 1;
            for (int number = 1; number < _types.Length; number++)
            {
                key.Clear();
                key.Add((uint)_classes[number]);
                AddReferences(number, key);
                refined[number] = ClassOf(TextOf(key), keys, ref refinedCount);
            }

            _classes = refined;
            if (refinedCount == count)
                return true;
            count = refinedCount;
        }

        return false;
    }

    private static int ClassOf(string key, Dictionary<string, int> classes, ref int count)
    {
        ref int found = ref CollectionsMarshal.GetValueRefOrAddDefault(classes, key, out bool exists);
        if (!exists)
            found = count++;
        return found;
    }

    /// <summary>What a type says apart from the types that it refers to.</summary>
    private string DescribeOwn(int number, List<uint> words)
    {
        BtfTypes types = _inputs[_types[number].Input]!;
        BtfType type = TypeAt(number);
        words.Add((uint)type.Kind << 1 | (type.KindFlag ? 1u : 0));
        words.Add((uint)type.Length);
        words.Add(BtfWords.RefersToType(type.Kind) ? 0 : type.SizeOrType);
        var names = new StringBuilder(types.NameOf(type.Id));
        if (type.Kind is BtfKind.VAR or BtfKind.DATASEC)
        {
            words.Add((uint)number);
            return TextOf(words);
        }

        int count = BtfWords.CountOf(type);
        for (int i = 0; i < count; i++)
        {
            uint word = types.DataWord(type, i);
            switch (BtfWords.KindOf(type.Kind, i))
            {
                case BtfWordKind.Number:
                    words.Add(word);
                    break;
                case BtfWordKind.String:
                    names.Append('\0').Append(types.TryGetString(word));
                    break;
                case BtfWordKind.Type:
                    break;
            }
        }

        return TextOf(words) + names.ToString();
    }

    private void AddReferences(int number, List<uint> classes)
    {
        BtfTypes types = _inputs[_types[number].Input]!;
        BtfType type = TypeAt(number);
        if (type.Kind == BtfKind.DATASEC)
            return;
        if (BtfWords.RefersToType(type.Kind))
            classes.Add(ClassOfReference(number, type.SizeOrType));
        if (type.Kind is not (BtfKind.ARRAY or BtfKind.STRUCT or BtfKind.UNION or BtfKind.FUNC_PROTO))
            return;
        int count = BtfWords.CountOf(type);
        for (int i = 0; i < count; i++)
        {
            if (BtfWords.KindOf(type.Kind, i) == BtfWordKind.Type)
                classes.Add(ClassOfReference(number, types.DataWord(type, i)));
        }
    }

    private uint ClassOfReference(int from, uint id) => (uint)_classes[_standsFor[NumberOf(_types[from] with { Id = id })]];

    /// <summary>True if there were some; the classes have to be found again then.</summary>
    private bool ReplaceForwardDeclarations()
    {
        var structs = new Dictionary<(BtfKind, string), int>();
        for (int number = 1; number < _types.Length; number++)
        {
            BtfType type = TypeAt(number);
            if (!type.IsComposite || NameAt(number) is not { Length: > 0 } name)
                continue;
            ref int only = ref CollectionsMarshal.GetValueRefOrAddDefault(structs, (type.Kind, name), out bool exists);
            only = !exists ? number : only > 0 && _classes[only] == _classes[number] ? only : -1;
        }

        bool any = false;
        for (int number = 1; number < _types.Length; number++)
        {
            BtfType type = TypeAt(number);
            if (type.Kind != BtfKind.FWD || _standsFor[number] != number)
                continue;
            BtfKind kind = type.KindFlag ? BtfKind.UNION : BtfKind.STRUCT;
            if (!structs.TryGetValue((kind, NameAt(number)), out int only) || only < 0)
                continue;
            _standsFor[number] = only;
            any = true;
        }

        return any;
    }

    private void WriteType(BtfWriter writer, int number)
    {
        int input = _types[number].Input;
        BtfTypes types = _inputs[input]!;
        BtfType type = TypeAt(number);
        uint sizeOrType = BtfWords.RefersToType(type.Kind) ? IdOfReference(number, type.SizeOrType) : type.SizeOrType;
        writer.AddType(type.Kind, StringOf(writer, input, type.NameOffset), type.Length, type.KindFlag, sizeOrType);
        int count = BtfWords.CountOf(type);
        for (int i = 0; i < count; i++)
        {
            uint word = types.DataWord(type, i);
            writer.AddWord(BtfWords.KindOf(type.Kind, i) switch
            {
                BtfWordKind.Number => word,
                BtfWordKind.String => StringOf(writer, input, word),
                BtfWordKind.Type => IdOfReference(number, word),
            });
        }
    }

    /// <summary>One DATASEC, or more if it has more variables than its length can say.</summary>
    private void WriteSection(BtfWriter writer, BtfMergedSection section)
    {
        for (int start = 0; start < section.Variables.Count; start += MaximumLength)
        {
            int count = Math.Min(MaximumLength, section.Variables.Count - start);
            writer.AddType(BtfKind.DATASEC, writer.AddString(section.Name), count, kindFlag: false, section.Size);
            for (int i = start; i < start + count; i++)
            {
                BtfPlacedVariable variable = section.Variables[i];
                writer.AddWord(IdOf(variable.Variable));
                writer.AddWord(variable.Offset);
                writer.AddWord(variable.Size);
            }
        }
    }

    private uint IdOfReference(int from, uint id) => IdOf(NumberOf(_types[from] with { Id = id }));

    private uint IdOf(int number) => _idOfClass[_classes[_standsFor[number]]];

    private int NumberOf(BtfInputType type) => type.Id == 0 ? 0 : _bases[type.Input] + (int)type.Id;

    private BtfType TypeAt(int number) => _inputs[_types[number].Input]![_types[number].Id];

    private string NameAt(int number) => _inputs[_types[number].Input]!.NameOf(_types[number].Id);

    private static string TextOf(List<uint> words) => new(MemoryMarshal.Cast<uint, char>(CollectionsMarshal.AsSpan(words)));
}
