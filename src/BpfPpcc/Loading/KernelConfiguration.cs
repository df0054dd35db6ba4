using System.Collections.Immutable;
using System.Globalization;
using System.IO.Compression;
using System.Text;
using BpfPpcc.Diagnostics;

namespace BpfPpcc.Loading;

/// <summary>
/// Values of a kernel's configuration by name, as a .config writes them: y, n, m, "text", numbers. They are what `__kconfig` externs of
/// programs resolve to.
/// </summary>
public sealed class KernelConfiguration
{
    /// <summary>More than ten times what a kernel has; a compressed file could hold any amount.</summary>
    private const int MaximumSize = 4 << 20;

    public static readonly KernelConfiguration Empty = new(ImmutableDictionary<string, string>.Empty);

    private readonly ImmutableDictionary<string, string> _values;

    private KernelConfiguration(ImmutableDictionary<string, string> values) => _values = values;

    /// <summary>The value of a name, or null.</summary>
    public string? ValueOf(string name) => _values.GetValueOrDefault(name);

    /// <summary>
    /// Reads a .config, plain or compressed by gzip (/proc/config.gz). The kernel's version in its heading becomes LINUX_KERNEL_VERSION,
    /// CONFIG_ARCH_HAS_SYSCALL_WRAPPER becomes LINUX_HAS_SYSCALL_WRAPPER.
    /// </summary>
    public static bool TryRead(ReadOnlyMemory<byte> file, string fileName, DiagnosticBag diagnostics, out KernelConfiguration configuration)
    {
        configuration = Empty;
        if (!TryDecode(file, out string text))
        {
            diagnostics.Error(DiagnosticId.ConfigurationMalformed, "the file is no kernel configuration", new DiagnosticLocation(fileName));
            return false;
        }

        var values = ImmutableDictionary.CreateBuilder<string, string>();
        foreach (ReadOnlySpan<char> line in text.AsSpan().EnumerateLines())
        {
            int equals = line.IndexOf('=');
            if (line.StartsWith("CONFIG_", StringComparison.Ordinal) && equals > 0)
                values.TryAdd(line[..equals].ToString(), line[(equals + 1)..].Trim().ToString());
            else if (line.EndsWith(" Kernel Configuration", StringComparison.Ordinal) && VersionIn(line) is { } version)
                values.TryAdd("LINUX_KERNEL_VERSION", version.ToString(CultureInfo.InvariantCulture));
        }

        if (values.TryGetValue("CONFIG_ARCH_HAS_SYSCALL_WRAPPER", out string? hasWrapper))
            values.TryAdd("LINUX_HAS_SYSCALL_WRAPPER", hasWrapper);
        configuration = new KernelConfiguration(values.ToImmutable());
        return true;
    }

    /// <summary>With these values in place of those of the same names.</summary>
    public bool TryDefine(ImmutableArray<(string Name, string Value)> definitions, DiagnosticBag diagnostics, out KernelConfiguration configuration)
    {
        configuration = this;
        foreach ((string name, string value) in definitions)
        {
            if (name.Length == 0)
            {
                diagnostics.Error(DiagnosticId.ConfigurationMalformed, "-D takes NAME=VALUE");
                return false;
            }
        }

        if (!definitions.IsEmpty)
            configuration = new KernelConfiguration(_values.SetItems(definitions.Select(static d => KeyValuePair.Create(d.Name, d.Value))));
        return true;
    }

    private static bool TryDecode(ReadOnlyMemory<byte> file, out string text)
    {
        text = "";
        ReadOnlySpan<byte> bytes = file.Span;
        if (bytes.StartsWith((ReadOnlySpan<byte>)[0x1f, 0x8b]))
        {
            if (!TryDecompress(file, out byte[] plain))
                return false;
            bytes = plain;
        }

        if (bytes.Contains((byte)0) || bytes.Length > MaximumSize)
            return false;
        text = Encoding.UTF8.GetString(bytes);
        return true;
    }

    private static bool TryDecompress(ReadOnlyMemory<byte> file, out byte[] plain)
    {
        plain = new byte[MaximumSize + 1];
        try
        {
            using var stream = new GZipStream(new MemoryStream(file.ToArray(), writable: false), CompressionMode.Decompress);
            plain = plain[..stream.ReadAtLeast(plain, plain.Length, throwOnEndOfStream: false)];
            return true;
        }
        catch (InvalidDataException)
        {
            return false;
        }
    }

    /// <summary>KERNEL_VERSION(a, b, c) of "# Linux/powerpc 6.12.0-rc1 Kernel Configuration".</summary>
    private static uint? VersionIn(ReadOnlySpan<char> line)
    {
        foreach (Range word in line.Split(' '))
        {
            uint version = 0;
            int count = 0;
            foreach (Range part in line[word].Split('.'))
            {
                ReadOnlySpan<char> digits = line[word][part];
                int length = digits.IndexOfAnyExceptInRange('0', '9');
                if (count == 3 || !byte.TryParse(length < 0 ? digits : digits[..length], NumberStyles.None, CultureInfo.InvariantCulture, out byte number))
                    break;
                version = version << 8 | number;
                count++;
            }

            if (count == 3)
                return version;
        }

        return null;
    }
}
