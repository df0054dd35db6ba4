using System.Globalization;
using System.Text.RegularExpressions;

namespace BpfPpcc.Tests.Selection;

/// <summary>
/// Machine IR text with its registers numbered in the order in which they occur, so that expectations do not depend on selection's order.
/// </summary>
internal static partial class ShapeText
{
    public static string Renumber(string text)
    {
        var numbers = new Dictionary<string, string>();
        return RegisterPattern().Replace(text, match =>
        {
            if (!numbers.TryGetValue(match.Value, out string? name))
                numbers.Add(match.Value, name = string.Create(CultureInfo.InvariantCulture, $"%v{numbers.Count}"));
            return name;
        });
    }

    [GeneratedRegex("%v[0-9]+")]
    private static partial Regex RegisterPattern();
}
