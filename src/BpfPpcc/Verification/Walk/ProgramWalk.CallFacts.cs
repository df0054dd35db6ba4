using System.Collections.Immutable;
using BpfPpcc.Verification.Catalog;

namespace BpfPpcc.Verification.Walk;

/// <summary>Facts about calls for the code generator.</summary>
internal sealed partial class ProgramWalk
{
    /// <summary>The helper's arguments were checked, with what they access noted.</summary>
    private void NoteHelperCall(HelperPrototype helper)
    {
        bool isComplete = true;
        for (int i = 0; i < helper.Arguments.Length; i++)
            isComplete &= IsAccessKnown(helper.Arguments[i].Kind, Registers[i + 1]);
        _facts.Calls.Close(_slot, isComplete);
    }

    /// <summary>The arguments of a global function were checked, with what it accesses through them noted.</summary>
    private void NoteGlobalCall(ImmutableArray<GlobalParameter> parameters)
    {
        bool isComplete = true;
        foreach (GlobalParameter parameter in parameters)
            isComplete &= parameter.Kind != GlobalParameterKind.Dynptr;
        _facts.Calls.Close(_slot, isComplete);
    }

    /// <summary>
    /// Whether what is accessed through an argument has been noted. Functions that are called back, dynptrs, and numbers that are really
    /// addresses of the stack give access to more.
    /// </summary>
    private static bool IsAccessKnown(ArgumentKind kind, RegisterState value) => kind switch
    {
        ArgumentKind.MAP_KEY or ArgumentKind.MAP_VALUE or ArgumentKind.MEM or ArgumentKind.FIXED_SIZE_MEM => true,
        ArgumentKind.FUNC or ArgumentKind.DYNPTR => false,
        ArgumentKind.ANYTHING or ArgumentKind.SCALAR or ArgumentKind.CONST_MAP_PTR or ArgumentKind.CONST_SIZE or ArgumentKind.CONST_SIZE_OR_ZERO
            or ArgumentKind.CTX or ArgumentKind.SOCK_COMMON or ArgumentKind.SOCKET or ArgumentKind.BTF_ID or ArgumentKind.BTF_ID_SOCK_COMMON
            or ArgumentKind.PERCPU_BTF_ID or ArgumentKind.SPIN_LOCK or ArgumentKind.TIMER or ArgumentKind.STACK or ArgumentKind.CONST_STR
            or ArgumentKind.KPTR_XCHG_DEST or ArgumentKind.KPTR or ArgumentKind.RINGBUF_MEM or ArgumentKind.CONST_ALLOC_SIZE_OR_ZERO =>
            value.Kind != RegisterKind.Stack,
    };
}
