using System.Collections.Immutable;
using BpfPpcc.Bpf;

namespace BpfPpcc.Loading;

/// <summary>A helper function of the host, which programs call by number.</summary>
/// <param name="Name">As the user declared it, without a prefix.</param>
/// <param name="Arguments">How many of r1..r5 it takes.</param>
public sealed record HostHelper(int Id, string Name, int Arguments);

/// <summary>Gives calls by number that mean a helper of the host a reference to it. Its numbers count before those of Linux.</summary>
public static class HostHelpers
{
    public static BpfModule Bind(BpfModule module, ImmutableDictionary<int, HostHelper> helpers) => helpers.IsEmpty ? module : module with
    {
        Functions = [.. module.Functions.Select(function => Bind(function, helpers))],
        HostHelpers = helpers,
    };

    private static BpfFunction Bind(BpfFunction function, ImmutableDictionary<int, HostHelper> helpers)
    {
        var references = new Dictionary<int, BpfReference>(function.References.Count);
        for (int slot = 0; slot < function.Instructions.Length; slot++)
        {
            BpfInstruction instruction = function.Instructions[slot];
            if (function.References.TryGetValue(slot, out BpfReference? reference))
            {
                references.Add(slot, reference);
            }
            else if (instruction is { IsCall: true, IsCallIndirect: false, Src: BpfPseudo.HelperCall }
                && helpers.TryGetValue(instruction.Imm, out HostHelper? helper))
            {
                references.Add(slot, new BpfReference.HostCall(helper));
            }
        }

        return function with { References = references };
    }
}
