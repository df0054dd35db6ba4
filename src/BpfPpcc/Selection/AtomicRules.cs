using BpfPpcc.Ir;
using BpfPpcc.Mir;
using BpfPpcc.Ppc64;
using static BpfPpcc.Mir.MachineOperand;

namespace BpfPpcc.Selection;

/// <summary>
/// Atomic operations: one pseudo instruction each, which emission makes a loop with a reservation (Power ISA book II, 4.6.2). The address
/// is in one register, because nothing else may happen within the loop.
/// </summary>
internal static class AtomicRules
{
    public static void SelectReadModifyWrite(SelectionContext context, IrInstruction atomic, VirtualRegister old)
    {
        MachineOperand address = AddressRules.UseAddress(context, atomic);
        MachineOperand value = TryImmediate(atomic, out long immediate) ? Immediate(immediate) : context.UseLow(atomic.Operands[1], atomic.Width);
        context.Emit(MachinePseudo.AtomicReadModifyWrite, EarlyDef(old), EarlyDef(context.NewRegister()), address, value,
            Immediate((int)KindOf(atomic.Atomic)), Immediate(atomic.Width / 8), Immediate(atomic.IsOrdered ? 1 : 0));
    }

    public static void SelectCompareExchange(SelectionContext context, IrInstruction atomic, VirtualRegister old)
    {
        MachineOperand address = AddressRules.UseAddress(context, atomic);
        context.Emit(MachinePseudo.AtomicCompareExchange, EarlyDef(old), address, context.UseLow(atomic.Operands[1], atomic.Width),
            context.UseLow(atomic.Operands[2], atomic.Width), Immediate(atomic.Width / 8));
    }

    /// <summary>The value, if the instruction within the loop has room for it: addi, ori, andi. or xori.</summary>
    private static bool TryImmediate(IrInstruction atomic, out long value)
    {
        if (!ValueFacts.TryConstant(atomic.Operands[1], out value))
            return false;
        switch (atomic.Atomic)
        {
            case IrAtomic.Add:
                value = atomic.Width == 32 ? (int)value : value;
                return Ppc64Fields.FitsSI16(value);
            case IrAtomic.Or or IrAtomic.And or IrAtomic.Xor:
                value = atomic.Width == 32 ? (uint)value : value;
                return Ppc64Fields.FitsUI16(value);
            default:
                return false;
        }
    }

    private static AtomicKind KindOf(IrAtomic atomic) => atomic switch
    {
        IrAtomic.Add => AtomicKind.Add,
        IrAtomic.Or => AtomicKind.Or,
        IrAtomic.And => AtomicKind.And,
        IrAtomic.Xor => AtomicKind.Xor,
        IrAtomic.Exchange => AtomicKind.Exchange,
        IrAtomic.None => throw new InvalidOperationException("an atomic operation without its kind"),
    };
}
