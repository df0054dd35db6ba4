namespace BpfPpcc.Tests.Optimization;

/// <summary>Loads and stores of the stack and of other memory, side by side and over one another.</summary>
internal sealed partial class RandomProgram
{
    /// <summary>Accesses of all widths anywhere in 16 bytes.</summary>
    private void OverlappingStack()
    {
        for (int i = _random.Next(1, 5); i > 0; i--)
        {
            int width = Pick(Widths);
            int offset = 112 - _random.Next(17 - width / 8);
            string place = $"(u{width} *)(r10 - {offset})";
            Line(_random.Next(2) == 0 ? $"*{place} = r{Scalar()}" : $"r{Scalar()} = *{place}");
        }
    }

    /// <summary>Narrow loads side by side, shifted and put together, sometimes with something in between.</summary>
    private void BytesPutTogether()
    {
        int width = Pick([8, 8, 16, 32]);
        int count = _random.Next(2, Math.Min(4, 64 / width) + 1);
        int offset = 8 * _random.Next(4);
        bool isForwards = _random.Next(2) == 0;
        string name = count * width <= 32 && _random.Next(2) == 0 ? "w" : "r";
        Line($"{name}4 = {(_random.Next(2) == 0 ? "0" : $"{name}7")}");
        for (int i = 0; i < count; i++)
        {
            Line($"r3 = *(u{width} *)(r{ContextRegister} + {offset + i * width / 8})");
            if (_random.Next(10) == 0)
                Line($"*(u8 *)(r{ContextRegister} + {offset}) = r5");
            Line($"{name}3 <<= {width * (isForwards ? i : count - 1 - i)}");
            Line($"{name}4 |= {name}3");
        }
    }

    /// <summary>Constants, pieces of a value or copies, sometimes with something in between.</summary>
    private void StoresSideBySide()
    {
        int width = Pick([8, 8, 16, 32]);
        int count = _random.Next(2, Math.Min(6, 64 / width) + 1);
        int offset = 8 * _random.Next(3);
        int kind = _random.Next(3);
        bool isForwards = _random.Next(2) == 0;
        bool isStack = _random.Next(4) == 0;
        for (int i = 0; i < count; i++)
        {
            int at = isForwards ? i : count - 1 - i;
            string place = isStack ? $"(u{width} *)(r10 - {112 - at * width / 8 % 16})" : $"(u{width} *)(r{ContextRegister} + {offset + at * width / 8})";
            if (kind == 1)
            {
                Line("r3 = r7");
                Line($"r3 >>= {width * (_random.Next(10) == 0 ? i : at) % 64}");
            }
            else if (kind == 2)
            {
                Line($"r3 = *(u{width} *)(r{ContextRegister} + {8 * _random.Next(8, 9) - 24 + at * width / 8})");
            }

            Line($"*{place} = {(kind == 0 ? Constant() : "r3")}");
            if (_random.Next(12) == 0)
                Load(5);
        }
    }

    /// <summary>Slots of one width, slots of several, and now and then an address that is computed.</summary>
    private void Stack()
    {
        int slot = _random.Next(10);
        int width = slot < 7 ? Widths[slot % 4] : Pick(Widths);
        int offset = -8 * (slot + 1) + (slot == 9 && width < 64 ? 2 : 0);
        string place = $"(u{width} *)(r10 - {-offset})";
        switch (_random.Next(9))
        {
            case < 4:
                Line($"*{place} = r{Scalar()}");
                break;
            case < 8:
                string sign = width < 64 && _random.Next(3) == 0 ? "s" : "u";
                Line($"r{Scalar()} = *({sign}{width} *)(r10 - {-offset})");
                break;
            case 8 when _random.Next(6) == 0:
                Line($"r1 = r{Scalar()}");
                Line("r1 &= 15");
                Line("r1 += r10");
                Line($"*(u8 *)(r1 - {_random.Next(16, 64)}) = r{Scalar()}");
                break;
            default:
                Line($"*{place} = {Constant()}");
                break;
        }
    }
}
