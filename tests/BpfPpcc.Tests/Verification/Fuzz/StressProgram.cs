using System.Globalization;
using BpfPpcc.Bpf;
using BpfPpcc.Loading;
using BpfPpcc.Tests.Assembler;
using BpfPpcc.Tests.Execution;

namespace BpfPpcc.Tests.Verification.Fuzz;

/// <summary>A program for the verifier: valid, nearly valid, or not at all.</summary>
/// <param name="Input">The packet of a test run; of SYSCALL and RAW_TRACEPOINT the context; empty without a run.</param>
internal sealed record StressProgram(string Name, BpfProgramType Type, int? AttachType, Slot[] Slots, byte[] Input)
{
    /// <summary>References to maps are loads of 64-bit immediates of this kind, with the number of a map of <see cref="StressMaps"/>.</summary>
    public const int MapReference = 1;

    public byte[] Code()
    {
        var bytes = new byte[Slots.Length * Slot.Size];
        for (int i = 0; i < Slots.Length; i++)
            Slots[i].Encode(bytes.AsSpan(i * Slot.Size));
        return bytes;
    }

    /// <summary>The line of the kernel oracle's input.</summary>
    public string Line()
    {
        string attach = AttachType is { } number ? ":" + number.ToString(CultureInfo.InvariantCulture) : "";
        string input = Input.Length == 0 ? "" : "\t" + Convert.ToHexStringLower(Input);
        return $"{Name}\t{Convert.ToHexStringLower(Code())}\t{Type.ToString().ToLowerInvariant()}{attach}{input}";
    }

    /// <summary>Whether a test run shows the link-layer header to the program.</summary>
    public bool SeesLinkLayer => Type is BpfProgramType.XDP or BpfProgramType.SCHED_CLS or BpfProgramType.SCHED_ACT;

    /// <summary>Linux takes the Ethernet header off the packet of a test run before most types of programs see it (net/bpf/test_run.c).</summary>
    public const int LinkLayerBytes = 14;

    /// <summary>The packet that the program sees in a test run; of SYSCALL and RAW_TRACEPOINT the context.</summary>
    public byte[] PacketOfRun() => IsBuffer && !SeesLinkLayer ? Input[LinkLayerBytes..] : [.. Input];

    public bool IsBuffer => StressProgramType.All.Any(type => type.Type == Type && type.IsBuffer);

    public BpfModule Module()
    {
        var references = new Dictionary<int, BpfReference>();
        for (int i = 0; i < Slots.Length; i++)
        {
            if (StressMaps.IndexOf(Slots[i]) is >= 0 and var map)
                references.Add(i, new BpfReference.MapAddress(map));
        }

        return BytecodeModule.FromBytes(
            Code(), Type, references, StressMaps.All, attachType: AttachType ?? 0, isSleepable: Type == BpfProgramType.SYSCALL);
    }
}
