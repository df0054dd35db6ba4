using BpfPpcc.Bpf;
using BpfPpcc.Diagnostics;
using BpfPpcc.Loading;
using BpfPpcc.Verification.Catalog;

namespace BpfPpcc.Verification.Walk;

/// <summary>Rules on the maps that a program refers to, which need no walk.</summary>
internal static class ProgramRequirements
{
    /// <summary>What is wrong, or null.</summary>
    public static WalkError? Check(CodeImage image, ProgramEnvironment environment, SortedSet<int> functions)
    {
        if (environment.IsSleepable && environment.Type != BpfProgramType.UNSPEC && !ProgramRules.MayBeSleepable(environment.Kind))
        {
            return new WalkError(
                DiagnosticId.AttachTarget, $"programs of type {environment.TypeName} that are attached there must not sleep", "name the section without .s", -1);
        }

        if (environment is { Type: BpfProgramType.STRUCT_OPS, IsSleepable: true, Target: { } target } && !ProgramRules.IsSleepableOperation(target.Struct, target.Name))
        {
            return new WalkError(
                DiagnosticId.AttachTarget, $"the operation {target.Name} of struct {target.Struct} is called where sleeping is not allowed", "name the section struct_ops/..., without .s", -1);
        }

        foreach (int function in functions)
        {
            for (int slot = image.Starts[function]; slot < image.Starts[function + 1]; slot++)
            {
                if (image.References[slot] is BpfReference.MapAddress map && CheckMap(image.Maps[map.Map], environment, slot) is { } error)
                    return error;
            }
        }

        return null;
    }

    private static WalkError? CheckMap(MapInfo map, ProgramEnvironment environment, int slot)
    {
        if (environment.Type == BpfProgramType.UNSPEC)
            return null;
        ProgramKind kind = environment.Kind;
        foreach (SpecialField field in map.Fields.All)
        {
            MapField mapField = FieldOf(field.Kind);
            if (!MapRules.MayHold(map.Type, mapField))
            {
                return new WalkError(
                    DiagnosticId.MapHelperMismatch, $"values of maps of type {map.Type}, as {map.Name} is, cannot hold special fields of this kind (locks, timers, kptrs, lists)", null, slot);
            }

            if (!MapRules.MayUse(kind, mapField))
            {
                return new WalkError(
                    DiagnosticId.MapHelperMismatch, $"programs of type {environment.TypeName} may not use the map {map.Name}, whose values hold special fields (locks, timers, lists)", null, slot);
            }
        }

        return MapRules.MayUse(kind, map.Type)
            ? null
            : new WalkError(DiagnosticId.MapHelperMismatch, $"this kind of program may not use the map {map.Name} of type {map.Type}", null, slot);
    }

    private static MapField FieldOf(SpecialFieldKind kind) => kind switch
    {
        SpecialFieldKind.SpinLock or SpecialFieldKind.ResilientSpinLock => MapField.SPIN_LOCK,
        SpecialFieldKind.Timer => MapField.TIMER,
        SpecialFieldKind.Workqueue => MapField.WORKQUEUE,
        SpecialFieldKind.KptrUntrusted or SpecialFieldKind.Kptr or SpecialFieldKind.KptrPerCpu or SpecialFieldKind.UserPointer => MapField.KPTR,
        SpecialFieldKind.ListHead or SpecialFieldKind.ListNode => MapField.LIST_HEAD,
        SpecialFieldKind.TreeRoot or SpecialFieldKind.TreeNode => MapField.RB_ROOT,
        SpecialFieldKind.RefCount => MapField.REFCOUNT,
    };
}
