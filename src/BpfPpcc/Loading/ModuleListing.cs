using System.Globalization;
using System.Text;
using System.Text.Json;

namespace BpfPpcc.Loading;

/// <summary>
/// What an object holds, for --list: programs with type, attach type and target, maps with their shape, externs, global variables. Numbers
/// are those of the UAPI (linux/bpf.h), sizes bytes.
/// </summary>
public static class ModuleListing
{
    private readonly record struct Extern(string Name, string Kind, bool IsWeak);

    /// <summary>UTF-8 text, one thing on a line, in tables under headings.</summary>
    public static byte[] Text(BpfModule module)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"{module.SourceName}: licence '{module.Licence}'\n");
        Heading(text, "programs", "name  section  type  attach type  instructions");
        foreach (BpfFunction function in Programs(module))
            text.Append(CultureInfo.InvariantCulture, $"  {function.Name}  {function.SectionName}  {function.ProgramType}  {function.AttachType}  {function.Instructions.Length}\n");
        Heading(text, "functions", "name  section  linkage  instructions");
        foreach (BpfFunction function in Subprograms(module))
            text.Append(CultureInfo.InvariantCulture, $"  {function.Name}  {function.SectionName}  {Linkage(function)}  {function.Instructions.Length}\n");
        Heading(text, "maps", "name  type  key size  value size  entries  flags");
        foreach (BpfMap map in module.Maps)
            text.Append(CultureInfo.InvariantCulture, $"  {map.Name}  {map.Type}  {map.KeySize}  {map.ValueSize}  {map.MaxEntries}  0x{map.Flags:x}\n");
        Heading(text, "externs", "name  kind");
        foreach (Extern external in Externs(module))
            text.Append(CultureInfo.InvariantCulture, $"  {external.Name}  {(external.IsWeak ? "weak " : "")}{external.Kind}\n");
        Heading(text, "globals", "name  section  size");
        foreach ((BpfDataSection section, BpfVariable variable) in Globals(module))
            text.Append(CultureInfo.InvariantCulture, $"  {variable.Name}  {section.Name}  {variable.Size}\n");
        return Encoding.UTF8.GetBytes(text.ToString());
    }

    /// <summary>One JSON object in UTF-8, with arrays under the same names as the headings of the text.</summary>
    public static byte[] Json(BpfModule module)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true }))
        {
            json.WriteStartObject();
            json.WriteString("object", module.SourceName);
            json.WriteString("licence", module.Licence);
            json.WriteNumber("kernel_version", module.KernelVersion);
            WriteArray(json, "programs", Programs(module), WriteProgram);
            WriteArray(json, "functions", Subprograms(module), WriteFunction);
            WriteArray(json, "maps", module.Maps, WriteMap);
            WriteArray(json, "externs", Externs(module), static (json, external) =>
            {
                json.WriteString("name", external.Name);
                json.WriteString("kind", external.Kind);
                json.WriteBoolean("weak", external.IsWeak);
            });
            WriteArray(json, "globals", Globals(module), static (json, global) =>
            {
                json.WriteString("name", global.Variable.Name);
                json.WriteString("section", global.Section.Name);
                json.WriteNumber("offset", global.Variable.Offset);
                json.WriteNumber("size", global.Variable.Size);
                json.WriteBoolean("read_only", global.Section.IsReadOnly);
            });
            json.WriteEndObject();
        }

        buffer.WriteByte((byte)'\n');
        return buffer.ToArray();
    }

    private static void WriteFunction(Utf8JsonWriter json, BpfFunction function)
    {
        json.WriteString("name", function.Name);
        json.WriteString("section", function.SectionName);
        json.WriteString("linkage", Linkage(function));
        json.WriteNumber("instructions", function.Instructions.Length);
    }

    private static void WriteProgram(Utf8JsonWriter json, BpfFunction function)
    {
        WriteFunction(json, function);
        json.WriteString("type", function.ProgramType.ToString());
        json.WriteNumber("attach_type", function.AttachType);
        json.WriteString("attach_target", function.AttachTarget);
    }

    private static void WriteMap(Utf8JsonWriter json, BpfMap map)
    {
        json.WriteString("name", map.Name);
        json.WriteString("type", map.Type.ToString());
        json.WriteNumber("key_size", map.KeySize);
        json.WriteNumber("value_size", map.ValueSize);
        json.WriteNumber("max_entries", map.MaxEntries);
        json.WriteNumber("map_flags", map.Flags);
        json.WriteNumber("pinning", map.Pinning);
        json.WriteNumber("numa_node", map.NumaNode);
        json.WriteNumber("map_extra", map.Extra);
        if (map.Inner is not BpfMap inner)
            return;
        json.WriteStartObject("inner");
        WriteMap(json, inner);
        json.WriteEndObject();
    }

    private static void WriteArray<T>(Utf8JsonWriter json, string name, IEnumerable<T> items, Action<Utf8JsonWriter, T> write)
    {
        json.WriteStartArray(name);
        foreach (T item in items)
        {
            json.WriteStartObject();
            write(json, item);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void Heading(StringBuilder text, string name, string columns) =>
        text.Append(CultureInfo.InvariantCulture, $"{name}: {columns}\n");

    private static IEnumerable<BpfFunction> Programs(BpfModule module) =>
        module.Functions.Where(static function => function.Role == BpfFunctionRole.Program);

    private static IEnumerable<BpfFunction> Subprograms(BpfModule module) =>
        module.Functions.Where(static function => function.Role == BpfFunctionRole.Subprogram);

    private static string Linkage(BpfFunction function) =>
        function.IsStatic ? "static" : function.IsHidden ? "hidden" : function.IsWeak ? "weak" : "global";

    private static IEnumerable<(BpfDataSection Section, BpfVariable Variable)> Globals(BpfModule module) =>
        module.DataSections.Where(static section => section.Name != KernelConfigurationSection.Name)
            .SelectMany(static section => section.Variables.Select(variable => (section, variable)));

    private static List<Extern> Externs(BpfModule module)
    {
        var externs = new SortedDictionary<string, Extern>(StringComparer.Ordinal);
        IEnumerable<BpfReference> references = module.Functions.SelectMany(static function => function.References.Values)
            .Concat(module.DataSections.SelectMany(static section => section.Relocations.Select(static relocation => relocation.Target)));
        foreach (BpfReference reference in references)
        {
            if (reference is BpfReference.ExternCall call)
                externs[call.Name] = new Extern(call.Name, "function", call.IsWeak);
            else if (reference is BpfReference.ExternAddress address)
                externs.TryAdd(address.Name, new Extern(address.Name, "address", address.IsWeak));
        }

        foreach (BpfDataSection section in module.DataSections)
        {
            foreach (BpfVariable variable in section.Name == KernelConfigurationSection.Name ? section.Variables : [])
                externs.TryAdd(variable.Name, new Extern(variable.Name, "kernel configuration", IsWeak: false));
        }

        return [.. externs.Values];
    }
}
