using BpfPpcc.Diagnostics;
using BpfPpcc.Verification.Catalog;

namespace BpfPpcc.Verification.Walk;

/// <summary>Calls of helpers of the host, by what the user declared of them.</summary>
internal sealed partial class ProgramWalk
{
    private bool CallHost(HelperPrototype helper)
    {
        if (_state.Lock is not null)
            return Fail(DiagnosticId.LockMisuse, $"{helper.Name} is called while a spin lock is held", "unlock before the call");
        var arguments = new CallArguments { Name = helper.Name };
        for (int i = 0; i < helper.Arguments.Length; i++)
        {
            if (!CheckArgument(helper, i, arguments))
                return false;
        }

        if (!WriteRawMemory(arguments))
            return false;
        if (helper.ChangesPacket)
            ForgetPacketPointers();
        RegisterState first = Registers[1];
        ClobberArguments(_state.Frame);
        return SetResult(helper, arguments, first) && Next();
    }

    private static RegisterState HostMemory(ReturnType type, long size, bool maybeNull) => new()
    {
        Kind = RegisterKind.Memory,
        Size = size,
        Flags = (maybeNull ? PointerFlags.MaybeNull : PointerFlags.None) | (type.IsReadOnly ? PointerFlags.ReadOnly : PointerFlags.None),
    };
}
