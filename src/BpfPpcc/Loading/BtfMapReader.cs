using BpfPpcc.Bpf;
using BpfPpcc.Btf;

namespace BpfPpcc.Loading;

/// <summary>
/// Reads map definitions that are written as variables of a struct type in section .maps (libbpf documentation, "BTF-defined maps"). Each
/// member is an attribute: an integer is the length of an array that the member points to (or the one enumerator of its enum), a type
/// is the type that it points to, and `values` is an array of pointers to what a map of maps or programs holds.
/// </summary>
internal sealed class BtfMapReader
{
    /// <summary>The value size of a map that holds maps or programs: to user space a value is a file descriptor.</summary>
    private const uint DescriptorSize = 4;

    /// <summary>There are eleven; a longer list is made up.</summary>
    private const int MaximumAttributes = 32;

    private readonly BtfTypes _btf;
    private readonly Dictionary<string, uint> _variables = [];

    public BtfMapReader(BtfTypes btf)
    {
        _btf = btf;
        uint section = btf.Find(".maps", BtfKind.DATASEC);
        if (section == 0)
            return;
        foreach (BtfSectionVariable variable in btf.VariablesOf(btf[section]))
            _variables.TryAdd(btf.NameOf(variable.Type), variable.Type);
    }

    /// <summary>The definition of the variable <paramref name="name"/>; null and a fault ("has ...") if it is malformed.</summary>
    /// <param name="valuesOffset">Byte offset of `values` in the variable, or -1.</param>
    public BpfMap? Read(string name, int index, out long valuesOffset, out string fault)
    {
        valuesOffset = -1;
        if (!_variables.TryGetValue(name, out uint variable))
        {
            fault = "has no variable in the type information of section .maps";
            return null;
        }

        var definition = new Definition(_btf, name, index);
        fault = definition.Read(_btf.SkipModifiers(VariableType(variable))) ?? "";
        valuesOffset = definition.ValuesOffset;
        return fault.Length == 0 ? definition.Map : null;
    }

    private uint VariableType(uint id) => _btf[id].Kind == BtfKind.VAR ? _btf[id].SizeOrType : 0;

    /// <summary>One definition while its members are read.</summary>
    private sealed class Definition(BtfTypes btf, string name, int index)
    {
        public BpfMap Map { get; private set; } = new() { Index = index, Name = name, Type = BpfMapType.UNSPEC };

        public long ValuesOffset { get; private set; } = -1;

        private bool IsInner => index < 0;

        /// <summary>Null, or what is wrong.</summary>
        public string? Read(BtfType type)
        {
            if (type.Kind != BtfKind.STRUCT)
                return "is no struct";
            if (type.Length > MaximumAttributes)
                return $"has {type.Length} attributes";
            foreach (BtfMember member in btf.MembersOf(type))
            {
                if (ReadMember(member) is string fault)
                    return fault;
            }

            return MapTable.FaultOf(Map.Type);
        }

        private string? ReadMember(BtfMember member)
        {
            string? fault = null;
            switch (member.Name)
            {
                case "type":
                    fault = ReadUInt32(member, out uint type);
                    Map = Map with { Type = (BpfMapType)type };
                    break;
                case "max_entries":
                    fault = ReadUInt32(member, out uint maxEntries);
                    Map = Map with { MaxEntries = maxEntries };
                    break;
                case "map_flags":
                    fault = ReadUInt32(member, out uint flags);
                    Map = Map with { Flags = flags };
                    break;
                case "numa_node":
                    fault = ReadUInt32(member, out uint numaNode);
                    Map = Map with { NumaNode = numaNode };
                    break;
                case "pinning":
                    fault = ReadUInt32(member, out uint pinning) ?? (IsInner && pinning != 0 ? "has an inner map with pinning" : null);
                    Map = Map with { Pinning = pinning };
                    break;
                case "map_extra":
                    fault = ReadUInt64(member, out ulong extra);
                    Map = Map with { Extra = extra };
                    break;
                case "key_size":
                    fault = ReadUInt32(member, out uint keySize) ?? SetKeySize(keySize);
                    break;
                case "value_size":
                    fault = ReadUInt32(member, out uint valueSize) ?? SetValueSize(valueSize);
                    break;
                case "key":
                    fault = ReadType(member, out uint keyType, out uint keyTypeSize) ?? SetKeySize(keyTypeSize);
                    Map = Map with { BtfKeyType = keyType };
                    break;
                case "value":
                    fault = ReadType(member, out uint valueType, out uint valueTypeSize) ?? SetValueSize(valueTypeSize);
                    Map = Map with { BtfValueType = valueType };
                    break;
                case "values":
                    fault = ReadValues(member);
                    break;
                default:
                    fault = $"has an unknown attribute '{member.Name}'";
                    break;
            }

            return fault;
        }

        private string? ReadValues(BtfMember member)
        {
            if (IsInner)
                return "has an inner map with values of its own";
            BtfType array = btf.SkipModifiers(member.Type);
            if (array.Kind != BtfKind.ARRAY || member.BitOffset % 64 != 0)
                return "has values that are no array of pointers";
            BtfType pointer = btf.SkipModifiers(btf.ArrayOf(array).ElementType);
            if (pointer.Kind != BtfKind.PTR)
                return "has values that are no array of pointers";

            ValuesOffset = member.BitOffset / 8;
            BtfType element = btf.SkipModifiers(pointer.SizeOrType);
            if (element.Kind == BtfKind.FUNC_PROTO)
                return SetValueSize(DescriptorSize);
            if (element.Kind != BtfKind.STRUCT)
                return "has values that are neither maps nor programs";
            var inner = new Definition(btf, name + ".inner", index: -1);
            if (inner.Read(element) is string fault)
                return fault;
            Map = Map with { Inner = inner.Map };
            return SetValueSize(DescriptorSize);
        }

        private string? SetKeySize(uint size)
        {
            if (Map.KeySize != 0 && Map.KeySize != size)
                return $"has two key sizes, {Map.KeySize} and {size}";
            Map = Map with { KeySize = size };
            return null;
        }

        private string? SetValueSize(uint size)
        {
            if (Map.ValueSize != 0 && Map.ValueSize != size)
                return $"has two value sizes, {Map.ValueSize} and {size}";
            Map = Map with { ValueSize = size };
            return null;
        }

        private string? ReadUInt32(BtfMember member, out uint value)
        {
            string? fault = ReadUInt64(member, out ulong wide);
            value = (uint)wide;
            return fault ?? (wide <= uint.MaxValue ? null : $"has an attribute '{member.Name}' that does not fit 32 bits");
        }

        private string? ReadUInt64(BtfMember member, out ulong value)
        {
            BtfType type = btf.SkipModifiers(member.Type);
            if (type.Kind == BtfKind.PTR && btf[type.SizeOrType] is { Kind: BtfKind.ARRAY } array)
            {
                value = btf.ArrayOf(array).Count;
                return null;
            }

            if (type.IsEnum && btf.EnumeratorsOf(type) is [BtfEnumerator only])
            {
                value = (ulong)only.Value;
                return null;
            }

            value = 0;
            return $"has an attribute '{member.Name}' that is no integer";
        }

        private string? ReadType(BtfMember member, out uint type, out uint size)
        {
            BtfType pointer = btf.SkipModifiers(member.Type);
            type = pointer.Kind == BtfKind.PTR ? pointer.SizeOrType : 0;
            size = 0;
            if (type == 0 || !btf.TryGetSize(type, out ulong wide) || wide > uint.MaxValue)
                return $"has an attribute '{member.Name}' that is no type with a size";
            size = (uint)wide;
            return null;
        }
    }
}
