using BpfPpcc.Diagnostics;
using BpfPpcc.Loading;
using Xunit;

namespace BpfPpcc.Tests.Loading;

/// <summary>Damaged objects: never an exception, and a diagnostic wherever there is no module.</summary>
public sealed class HostileInputTests
{
    public static TheoryData<string> ObjectNames => [.. Objects.Prebuilt.Select(path => Path.GetFileName(path))];

    [Theory]
    [MemberData(nameof(ObjectNames))]
    public void Prebuilt_objects_load(string name) => Objects.Load(File.ReadAllBytes(PathOf(name)));

    [Theory]
    [MemberData(nameof(ObjectNames))]
    public void Truncated_objects_are_refused_with_one_diagnostic(string name)
    {
        byte[] bytes = File.ReadAllBytes(PathOf(name));
        for (int length = 0; length < bytes.Length; length += 8)
            Objects.Refuse(bytes[..length]);
    }

    [Theory]
    [MemberData(nameof(ObjectNames))]
    public void Random_changes_never_throw(string name)
    {
        byte[] original = File.ReadAllBytes(PathOf(name));
        var random = new Random(7);
        for (int round = 0; round < 4000; round++)
        {
            byte[] bytes = (byte[])original.Clone();
            for (int change = random.Next(1, 9); change > 0; change--)
            {
                int at = random.Next(bytes.Length);
                bytes[at] = random.Next(4) switch { 0 => 0, 1 => 255, 2 => (byte)(bytes[at] ^ (1 << random.Next(8))), _ => (byte)random.Next(256) };
            }

            var diagnostics = new DiagnosticBag();
            BpfModule? module = ObjectLoader.Load(bytes, "x.o", diagnostics);
            Assert.Equal(module is null, diagnostics.HasErrors);
        }
    }

    private static string PathOf(string name) => Objects.Prebuilt.First(path => Path.GetFileName(path) == name);
}
