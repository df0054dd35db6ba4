using BpfPpcc.Bpf;
using BpfPpcc.Loading;
using BpfPpcc.Verification.Catalog;

namespace BpfPpcc.Verification.Walk;

/// <summary>What the functions of a module may do, with all that they call.</summary>
internal sealed class ProgramEffects
{
    [Flags]
    private enum Effects : byte
    {
        None = 0,
        ChangesPacket = 1,
        Sleeps = 2,
        Throws = 4,
    }

    /// <summary>dynptr_write: moves the packet's data if the dynptr is of a packet, of which a global function knows nothing.</summary>
    private const int DynptrWrite = 202;

    private readonly Effects[] _effects;

    public ProgramEffects(CodeImage image)
    {
        _effects = new Effects[image.Module.Functions.Length];
        bool hasChanged = true;
        while (hasChanged)
        {
            hasChanged = false;
            for (int function = 0; function < _effects.Length; function++)
            {
                Effects found = Find(image, function);
                hasChanged |= found != _effects[function];
                _effects[function] = found;
            }
        }
    }

    /// <summary>Whether a call of the function may move the packet's data.</summary>
    public bool ChangesPacket(int function) => (_effects[function] & Effects.ChangesPacket) != 0;

    /// <summary>Whether a call of the function may sleep.</summary>
    public bool MaySleep(int function) => (_effects[function] & Effects.Sleeps) != 0;

    /// <summary>Whether a call of the function may end the program by bpf_throw.</summary>
    public bool MayThrow(int function) => (_effects[function] & Effects.Throws) != 0;

    private Effects Find(CodeImage image, int function)
    {
        Effects effects = Effects.None;
        for (int slot = image.Starts[function]; slot < image.Starts[function + 1]; slot++)
        {
            effects |= image.References[slot] switch
            {
                BpfReference.FunctionCall call => _effects[call.Function],
                BpfReference.FunctionAddress address => _effects[address.Function],
                BpfReference.ExternCall { Name: "bpf_throw" } => Effects.Throws,
                BpfReference.ExternCall call => KfuncTable.Find(call.Name)?.Has(KfuncFlags.SLEEPABLE) == true ? Effects.Sleeps : Effects.None,
                _ => OfHelper(image.Code[slot]),
            };
        }

        return effects;
    }

    private static Effects OfHelper(BpfInstruction instruction)
    {
        if (instruction is not { IsCall: true, IsCallIndirect: false, Src: BpfPseudo.HelperCall } || HelperPrototypes.Find(instruction.Imm) is not { } helper)
            return Effects.None;
        return (helper.ChangesPacket || helper.Id == DynptrWrite ? Effects.ChangesPacket : Effects.None)
            | (helper.MightSleep ? Effects.Sleeps : Effects.None);
    }
}
