namespace BpfPpcc.ObjectWriting;

/// <summary>NUL-terminated texts in a section, each once.</summary>
internal sealed class StringPool(SectionBuilder section)
{
    private readonly SectionBuilder _section = section;
    private readonly Dictionary<string, Place> _places = [];

    public Place Add(string text)
    {
        if (_places.TryGetValue(text, out Place place))
            return place;
        place = _section.Next;
        _section.Bytes.WriteCString(text);
        _places.Add(text, place);
        return place;
    }
}
