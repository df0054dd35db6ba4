using BpfPpcc.Tests.Execution;

namespace BpfPpcc.Tests.Differential;

/// <summary>A place in a function that jumps go to; what is known at it is the meet of what is known at the jumps.</summary>
internal sealed class Label
{
    public int Position { get; set; } = -1;

    /// <summary>Null while no jump goes here.</summary>
    public ProgramState? State { get; set; }
}

/// <summary>Collects the slots of a function; resolves labels at the end, where a 16-bit offset does not reach by a gotol.</summary>
internal sealed class FunctionBuilder
{
    private readonly List<Item> _items = [];
    private readonly List<Label> _bound = [];

    public int Count => _items.Count;

    public void Emit(Slot slot) => _items.Add(new Item(slot, null, null));

    /// <param name="isChoice">Both ways are valid whatever the condition: it may be negated.</param>
    public void EmitJump(Slot slot, Label target, bool isChoice = false) => _items.Add(new Item(slot, target, null, isChoice));

    /// <summary>The slot refers to something; of a 64-bit immediate, this writes both slots.</summary>
    public void EmitReference(Slot slot, SlotReferenceKind kind, int target, int addend = 0)
    {
        _items.Add(new Item(slot, null, new SlotReference(0, kind, target, addend)));
        if (slot.IsLoadImmediate64)
            Emit(default);
    }

    public void Bind(Label label)
    {
        label.Position = _items.Count;
        _bound.Add(label);
    }

    /// <param name="choices">Slots of the conditional jumps that may be negated.</param>
    public TestFunction Build(string name, FunctionPlace place, out IReadOnlyList<int> choices)
    {
        while (Widen())
        {
        }

        var slots = new List<Slot>(_items.Count);
        var references = new List<SlotReference>();
        var found = new List<int>();
        for (int i = 0; i < _items.Count; i++)
        {
            Item item = _items[i];
            if (item.IsChoice)
                found.Add(i);
            slots.Add(item.Target is null ? item.Slot : item.Slot.WithJumpOffset(item.Target.Position - i - 1));
            if (item.Reference is { } reference)
                references.Add(reference with { Slot = i });
        }

        choices = found;
        return new TestFunction { Name = name, Place = place, Slots = slots, References = references };
    }

    private bool Widen()
    {
        var insertions = new List<int>();
        for (int i = 0; i < _items.Count; i++)
        {
            Item item = _items[i];
            if (item.Target is null || item.Slot.Opcode == 0x06 || item.Target.Position - i - 1 is >= -32_000 and <= 32_000)
                continue;
            if (item.Slot.Opcode == 0x05)
                _items[i] = item with { Slot = Slot.GotoLong(0) };
            else
                insertions.Add(i);
        }

        for (int k = insertions.Count - 1; k >= 0; k--)
        {
            int at = insertions[k];
            Item jump = _items[at];
            foreach (Label label in _bound)
            {
                if (label.Position > at)
                    label.Position += 2;
            }

            _items[at] = new Item(jump.Slot.WithJumpOffset(1), null, null, jump.IsChoice);
            _items.Insert(at + 1, new Item(Slot.Goto(1), null, null));
            _items.Insert(at + 2, new Item(Slot.GotoLong(0), jump.Target, null));
        }

        return insertions.Count > 0;
    }

    private readonly record struct Item(Slot Slot, Label? Target, SlotReference? Reference, bool IsChoice = false);
}
