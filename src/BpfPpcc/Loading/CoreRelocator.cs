using System.Collections.Immutable;
using BpfPpcc.Bpf;
using BpfPpcc.Btf;
using BpfPpcc.Diagnostics;

namespace BpfPpcc.Loading;

/// <summary>
/// Applies the CO-RE relocations of an object (kernel documentation, bpf/llvm_reloc.rst; libbpf documentation, "BPF CO-RE"): instructions
/// that depend on the layout of the target's types get the numbers of the target. Where the target lacks what an instruction depends on,
/// the instruction is poisoned: it must not be executed, which programs ensure by asking first whether the field exists.
/// Without a target the object's own types are the target, in which everything exists.
/// </summary>
internal sealed class CoreRelocator
{
    private readonly LoadingContext _context;
    private readonly CoreCandidates? _candidates;
    private readonly DebugInformation _debug;

    public CoreRelocator(LoadingContext context, BtfTypes? target, DebugInformation debug)
    {
        _context = context;
        _debug = debug;
        if (context.Btf is BtfTypes local && target is not null)
            _candidates = new CoreCandidates(local, target);
    }

    /// <summary>Relocates all sections; false after an error.</summary>
    public bool TryApply(List<CodeSection> sections, FunctionTable functions)
    {
        bool ok = true, any = false;
        foreach (CodeSection section in sections)
        {
            if (_context.BtfExt is not BtfExt ext || !ext.CoreRelocations.TryGetValue(section.Section.Name, out ImmutableArray<BtfCoreRelocation> records))
                continue;
            any = true;
            foreach (BtfCoreRelocation record in records)
                ok &= TryApply(section, functions, record);
        }

        if (any && _candidates is null)
            NoteTargetAssumed();
        return ok;
    }

    private void NoteTargetAssumed() => _context.Diagnostics.Note(
        DiagnosticId.CoreTargetAssumed,
        "the object has CO-RE relocations, which are resolved with the object's own types",
        new DiagnosticLocation(_context.FileName),
        "if the structs that the programs read are laid out differently where they will run, give the types of that system with --btf FILE");

    private bool TryApply(CodeSection section, FunctionTable functions, BtfCoreRelocation record)
    {
        int index = functions.FindContaining(section.Section, record.InstructionOffset);
        if (index < 0)
            return true;
        FunctionRange function = functions[index];
        int slot = (int)(record.InstructionOffset / BpfInstruction.Size);
        if (record.InstructionOffset % BpfInstruction.Size != 0)
            return Fail(function, slot, new Fault(DiagnosticId.CoreRelocationMalformed, "is not at the start of an instruction"));
        if (!TryResolve(record, out CoreResult result, out Fault fault))
            return Fail(function, slot, fault);
        if (section.TryPatch(slot, function.End, result, out string what))
            return true;
        return Fail(function, slot, new Fault(DiagnosticId.CoreRelocationMalformed, what));
    }

    private bool TryResolve(BtfCoreRelocation record, out CoreResult result, out Fault fault)
    {
        result = default;
        fault = default;
        BtfTypes types = _context.Btf!;
        var kind = (CoreRelocationKind)record.Kind;
        if (kind > CoreRelocationKind.TYPE_MATCHES)
            return Malformed($"has the unknown kind {record.Kind}", out fault);
        string text = types.TryGetString(record.Access)!;
        CoreSubject subject = CoreRelocationKinds.SubjectOf(kind);
        if (CoreAccess.Parse(types, record.Type, text, subject, out string what) is not CoreAccess local)
            return Malformed($"is malformed: {what}", out fault);
        if (!CoreValue.TryCompute(kind, local, out CoreValue old, out string? valueFault))
            return Malformed($"of {local.Describe(subject)} is malformed: {valueFault}", out fault);

        if (_candidates is null || kind == CoreRelocationKind.TYPE_ID_LOCAL)
        {
            result = new CoreResult(old, old, Poison: null);
            return true;
        }

        if (types.NameOf(record.Type).Length == 0)
            return Malformed("is of a type without a name, which cannot be found in the target", out fault);
        return TryFindTarget(kind, local, old, out result, out fault);
    }

    /// <summary>Asks all candidates; those that have what is asked for must agree.</summary>
    private bool TryFindTarget(CoreRelocationKind kind, CoreAccess local, CoreValue old, out CoreResult result, out Fault fault)
    {
        result = default;
        fault = default;
        CoreSubject subject = CoreRelocationKinds.SubjectOf(kind);
        List<uint> candidates = _candidates!.For(local.Root);
        bool hasCandidates = candidates.Count != 0;
        CoreAccess? first = null;
        int matches = 0;
        for (int i = 0; i < candidates.Count; i++)
        {
            if (_candidates.Match(local, candidates[i], kind) is not CoreAccess found)
                continue;
            if (!TryCompare(kind, local, old, found, out CoreResult next, out string? what))
                return Malformed($"of {local.Describe(subject)} is malformed in the target: {what}", out fault);
            if (first is not null && (found.BitOffset != first.BitOffset || next.New.Number != result.New.Number))
            {
                string message = $"of {local.Describe(subject)} is ambiguous: types {first.Root} and {found.Root} of the target have it, and differ";
                fault = new Fault(DiagnosticId.CoreRelocationAmbiguous, message, "the target's BTF defines two types of this name; take one of them out");
                return false;
            }

            if (first is null)
                (first, result) = (found, next);
            candidates[matches++] = candidates[i];
        }

        if (matches > 0)
            candidates.RemoveRange(matches, candidates.Count - matches);
        else
            result = Missing(kind, local, old, hasCandidates);
        return true;
    }

    private static bool TryCompare(
        CoreRelocationKind kind, CoreAccess local, CoreValue old, CoreAccess found, out CoreResult result, out string? fault)
    {
        result = default;
        if (!CoreValue.TryCompute(kind, found, out CoreValue value, out fault))
            return false;
        bool fits = old.Size == value.Size || IsAdjustable(local.Types[old.Type], local.Types, found.Types[value.Type], found.Types);
        string? sizeFault = fits ? null
            : $"{local.Describe(CoreSubject.Field)} has {value.Size} bytes in the target and {old.Size} in the program, "
                + "and only pointers and unsigned integers can be accessed in another size";
        result = new CoreResult(old, value, Poison: null, sizeFault);
        return true;
    }

    private static CoreResult Missing(CoreRelocationKind kind, CoreAccess local, CoreValue old, bool hasCandidates)
    {
        CoreSubject subject = CoreRelocationKinds.SubjectOf(kind);
        if (CoreValue.TryCompute(kind, access: null, out CoreValue value, out _))
            return new CoreResult(old, value, Poison: null);
        string root = CoreAccess.NameOf(local.Types, local.Root);
        string what = hasCandidates ? local.Describe(subject) : $"type '{root}'";
        return new CoreResult(old, default, $"the target has no {what}");
    }

    /// <summary>Reading a pointer or an unsigned integer in another size gives the same value.</summary>
    private static bool IsAdjustable(BtfType a, BtfTypes aTypes, BtfType b, BtfTypes bTypes) =>
        (a.Kind == BtfKind.PTR && b.Kind == BtfKind.PTR)
        || (a.Kind == BtfKind.INT && b.Kind == BtfKind.INT && aTypes.IntOf(a).Encoding != BtfIntEncoding.SIGNED
            && bTypes.IntOf(b).Encoding != BtfIntEncoding.SIGNED);

    private bool Fail(FunctionRange function, int slot, Fault fault)
    {
        int local = slot - function.Start;
        string message = $"function '{function.Symbol.Name}': the CO-RE relocation {fault.Message}";
        return _context.Fail(fault.Id, message, function.Section.Name, function.Symbol.Name, local, InstructionReferences.PositionOf(_debug.LinesOf(function), local), fault.Help);
    }

    private static bool Malformed(string message, out Fault fault)
    {
        fault = new Fault(DiagnosticId.CoreRelocationMalformed, message);
        return false;
    }
}
