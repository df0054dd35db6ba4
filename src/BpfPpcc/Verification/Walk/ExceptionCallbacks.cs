using BpfPpcc.Btf;
using BpfPpcc.Diagnostics;
using BpfPpcc.Loading;

namespace BpfPpcc.Verification.Walk;

/// <summary>
/// The function that runs instead of the rest of a program after bpf_throw, if a tag on the program names one (kernel documentation,
/// bpf/kfuncs.rst, "bpf_throw"; libbpf's __exception_cb).
/// </summary>
internal static class ExceptionCallbacks
{
    private const string Prefix = "exception_callback:";

    /// <summary>What is wrong with the program's tag, or null; then <paramref name="callback"/> is the function, or null without a tag.</summary>
    public static WalkError? Find(BpfModule module, BpfFunction program, out BpfFunction? callback)
    {
        callback = null;
        if (module.Btf is not { } btf || btf.Find(program.Name, BtfKind.FUNC) is not (var function and not 0))
            return null;
        string? found = null;
        for (uint id = 1; id < btf.Count; id++)
        {
            BtfType tag = btf[id];
            if (tag.Kind != BtfKind.DECL_TAG || tag.SizeOrType != function || btf.ComponentOf(tag) != -1 || !btf.NameOf(id).StartsWith(Prefix, StringComparison.Ordinal))
                continue;
            if (found is not null)
                return new WalkError(DiagnosticId.Callback, $"the program has more than one exception callback: {found} and {btf.NameOf(id)[Prefix.Length..]}", null, -1);
            found = btf.NameOf(id)[Prefix.Length..];
        }

        if (found is null)
            return null;
        callback = module.Functions.FirstOrDefault(candidate => candidate.Name == found);
        return callback is null ? new WalkError(DiagnosticId.Callback, $"the exception callback {found} is not in this object", null, -1)
            : !GlobalFunctions.IsGlobal(module, callback) ? new WalkError(DiagnosticId.Callback, $"the exception callback {found} must not be static", null, -1)
            : null;
    }
}
