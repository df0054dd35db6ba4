using System.Collections.Immutable;
using BpfPpcc.Ir;
using BpfPpcc.Loading;
using BpfPpcc.Symbols;

namespace BpfPpcc.Lifting;

/// <summary>Calls (RFC 9669, 4.3.1 and 4.3.2; object-abi.md, Helpers and externs). All of them leave r1 to r5 without a value.</summary>
internal sealed partial class FunctionLifter
{
    private void LiftCall(int slot)
    {
        CallSite call = CallSite.At(_function, slot);
        IrInstruction[] arguments = Arguments(call.ArgumentRegisters(_context.ArgumentRegisters));
        IrInstruction result = call.Kind switch
        {
            CallKind.Helper => _builder.CallExtern(Helper(call), arguments),
            CallKind.TailCall => TailCall(arguments),
            CallKind.Local => _builder.CallLocal(_context.Forms[call.Number].Code, arguments),
            CallKind.Extern => ExternCall(call.Extern!, arguments),
            CallKind.Indirect => _builder.CallIndirect([Read(_function.Instructions[slot].Dst), .. arguments]),
        };
        ClobberArguments();
        Write(0, result);
    }

    /// <summary>The values of the registers, r1 first; those in between that are not read stay undefined.</summary>
    private IrInstruction[] Arguments(int registers)
    {
        var arguments = new IrInstruction[CFront.Count(registers)];
        for (int i = 0; i < arguments.Length; i++)
            arguments[i] = (registers >> (i + 1) & 1) != 0 ? Read(i + 1) : _builder.Leaves.Undefined();
        return arguments;
    }

    private SymbolId Helper(in CallSite call) =>
        _context.Symbols.Intern(SymbolKind.ExternFunction, CallSite.HelperName(call.Number, call.Host), call.Number);

    /// <summary>Where it does not end the function, r0 has no value after it: Linux gives bpf_tail_call none.</summary>
    private IrInstruction TailCall(IrInstruction[] arguments)
    {
        _builder.TailCall(arguments[0], arguments[1], arguments[2]);
        return _builder.Leaves.Undefined();
    }

    /// <summary>C functions rely on the caller to extend narrow arguments; BPF code does not do it.</summary>
    private IrInstruction ExternCall(BpfReference.ExternCall callee, IrInstruction[] arguments)
    {
        ImmutableArray<BpfScalar> parameters = callee.Prototype?.Parameters ?? [];
        for (int i = 0; i < Math.Min(arguments.Length, parameters.Length); i++)
            arguments[i] = CFront.Extend(_builder, parameters[i], arguments[i]);
        return _builder.CallExtern(_context.Symbols.Intern(SymbolKind.ExternFunction, callee.Name), arguments);
    }

    private void ClobberArguments()
    {
        for (int register = 1; register <= 5; register++)
            Write(register, _builder.Leaves.Undefined());
    }
}
