using BpfPpcc.Diagnostics;
using BpfPpcc.Loading;

namespace BpfPpcc.Verification;

/// <summary>
/// Refuses programs that can execute an instruction which has no meaning on the target (a failed CO-RE relocation). Programs guard such
/// instructions with branches on constants that relocation or configuration made, so branches on constants are followed one way only.
/// </summary>
internal static class PoisonCheck
{
    public const string Help = "guard the access with bpf_core_field_exists(), bpf_core_type_exists() or bpf_core_enum_value_exists()";

    public static string MessageOf(BpfReference.Poisoned poisoned) =>
        $"{poisoned.Reason}, and the instruction that depends on it can be reached (CO-RE)";

    /// <summary>True if no poisoned instruction can be reached. Expects functions that passed the structure check.</summary>
    public static bool Check(BpfModule module, bool[][] reachable, DiagnosticBag diagnostics)
    {
        bool isSound = true;
        foreach (BpfFunction function in module.Functions)
        {
            if (!function.References.Values.Any(static reference => reference is BpfReference.Poisoned))
                continue;
            bool[] executed = ConstantFlow.FindExecuted(module, function, reachable[function.Index]);
            foreach ((int slot, BpfReference reference) in function.References.OrderBy(static reference => reference.Key))
            {
                if (reference is not BpfReference.Poisoned poisoned || !executed[slot])
                    continue;
                isSound = false;
                diagnostics.Error(DiagnosticId.CoreRelocationFailed, MessageOf(poisoned), SlotLocation.Of(module, function, slot), Help);
            }
        }

        return isSound;
    }
}
