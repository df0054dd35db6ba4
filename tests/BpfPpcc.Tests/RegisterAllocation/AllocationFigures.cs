using System.Globalization;
using BpfPpcc.Mir;
using BpfPpcc.RegisterAllocation;

namespace BpfPpcc.Tests.RegisterAllocation;

/// <summary>Sums of what allocations cost.</summary>
internal sealed class AllocationFigures
{
    private int _functions;
    private int _instructions;
    private int _moves;
    private int _loads;
    private int _stores;
    private int _rematerialized;
    private int _slots;
    private int _calleeSaved;
    private int _deleted;
    private int _withSpills;

    public void Count(MachineFunction function, Allocation allocation)
    {
        _functions++;
        foreach (MachineBlock block in function.Blocks)
        {
            _instructions += block.Instructions.Count;
        }

        foreach (AllocationEdit edit in allocation.Edits)
        {
            if (edit.Rematerialize is not null)
            {
                _rematerialized++;
            }
            else if (!edit.To.IsGpr)
            {
                _stores++;
            }
            else if (!edit.From.IsGpr)
            {
                _loads++;
            }
            else
            {
                _moves++;
            }
        }

        _slots += allocation.SpillSlotCount;
        _withSpills += allocation.SpillSlotCount > 0 ? 1 : 0;
        _calleeSaved += allocation.UsedCalleeSaved.Length;
        _deleted += allocation.Deleted.Length;
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"{_functions} functions, {_instructions} instructions, {_withSpills} with spills; per function: {Per(_moves)} moves, {Per(_loads)} loads, {Per(_stores)} stores, {Per(_rematerialized)} rematerialised, {Per(_deleted)} deleted, {Per(_slots)} slots, {Per(_calleeSaved)} callee-saved");

    private string Per(int sum) => ((double)sum / _functions).ToString("F2", CultureInfo.InvariantCulture);
}
