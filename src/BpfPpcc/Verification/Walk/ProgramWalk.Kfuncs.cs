using BpfPpcc.Diagnostics;
using BpfPpcc.Loading;

namespace BpfPpcc.Verification.Walk;

/// <summary>Calls of functions that the kernel, or the host, offers by name.</summary>
internal sealed partial class ProgramWalk
{
    private bool CallKfunc(BpfReference.ExternCall call) =>
        Fail(DiagnosticId.KfuncUnknown, $"{call.Name} is not a function that the kernel is known to offer to programs of type {_environment.TypeName}", null);
}
