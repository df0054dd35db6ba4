using BpfPpcc.Bpf;
using BpfPpcc.Loading;

namespace BpfPpcc.Verification.Walk;

/// <summary>What the functions of a module may do, with all that they call.</summary>
internal sealed class ProgramEffects
{
    private readonly bool[] _changesPacket;

    public ProgramEffects(CodeImage image)
    {
        int count = image.Module.Functions.Length;
        _changesPacket = new bool[count];
        bool hasChanged = true;
        while (hasChanged)
        {
            hasChanged = false;
            for (int function = 0; function < count; function++)
            {
                if (_changesPacket[function] || !ChangesPacket(image, function))
                    continue;
                _changesPacket[function] = true;
                hasChanged = true;
            }
        }
    }

    /// <summary>Whether a call of the function may move the packet's data.</summary>
    public bool ChangesPacket(int function) => _changesPacket[function];

    private bool ChangesPacket(CodeImage image, int function)
    {
        for (int slot = image.Starts[function]; slot < image.Starts[function + 1]; slot++)
        {
            BpfInstruction instruction = image.Code[slot];
            BpfReference? reference = image.References[slot];
            if (reference is BpfReference.FunctionCall call && _changesPacket[call.Function])
                return true;
            if (reference is BpfReference.FunctionAddress address && _changesPacket[address.Function])
                return true;
            if (instruction is { IsCall: true, IsCallIndirect: false, Src: BpfPseudo.HelperCall } && reference is null
                && HelperEffects.ChangesPacket(instruction.Imm))
            {
                return true;
            }
        }

        return false;
    }
}

/// <summary>Effects of helpers that their prototypes do not tell.</summary>
internal static class HelperEffects
{
    /// <summary>Whether the packet's data may move: Linux's bpf_helper_changes_pkt_data.</summary>
    public static bool ChangesPacket(int helper) => helper is 9 or 10 or 11 or 12 or 13 or 18 or 19 or 31 or 38 or 39 or 43 or 44 or 50 or 54
        or 62 or 63 or 65 or 73 or 74 or 75 or 76 or 90 or 91;
}
