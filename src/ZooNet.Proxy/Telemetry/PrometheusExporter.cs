using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;

namespace ZooNet.Proxy.Telemetry;

/// <summary>
/// Writes the instruments of one <see cref="Meter"/> in Prometheus' text format (version 0.0.4). Instruments' names are
/// used as they are, so they must be legal there. Thread-safe. Stops listening when it is disposed.
/// </summary>
/// <remarks>
/// Counters, up-down counters and histograms are summed here as they are recorded; observable instruments are read at each
/// scrape, and a series that they no longer report is gone from it.
/// </remarks>
public sealed class PrometheusExporter : IDisposable
{
    /// <summary>What the text is served as.</summary>
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    private readonly Lock _lock = new();
    private readonly MeterListener _listener = new();
    private readonly SortedDictionary<string, Family> _families = new(StringComparer.Ordinal);

    /// <summary>Begins to listen.</summary>
    public PrometheusExporter(Meter meter)
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (ReferenceEquals(instrument.Meter, meter))
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Record(instrument, value, tags));
        _listener.SetMeasurementEventCallback<int>((instrument, value, tags, _) => Record(instrument, value, tags));
        _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Record(instrument, value, tags));
        _listener.Start();
    }

    /// <summary>One scrape.</summary>
    public string Scrape()
    {
        lock (_lock)
        {
            foreach (var family in _families.Values.Where(f => f.Instrument.IsObservable))
            {
                family.Series.Clear();
            }
            _listener.RecordObservableInstruments();
            var text = new StringBuilder();
            foreach (var family in _families.Values)
            {
                family.Write(text);
            }
            return text.ToString();
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _listener.Dispose();

    private void Record(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var labels = Labels(tags);
        lock (_lock)
        {
            if (!_families.TryGetValue(instrument.Name, out var family))
            {
                _families.Add(instrument.Name, family = new Family(instrument));
            }
            family.Record(labels, value);
        }
    }

    private static string Labels(ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var text = new StringBuilder();
        foreach (var (name, value) in tags)
        {
            var escaped = Convert.ToString(value, CultureInfo.InvariantCulture)?.Replace("\\", "\\\\").Replace("\"", "\\\"").Replace("\n", "\\n");
            text.Append(text.Length == 0 ? "" : ",").Append(name).Append("=\"").Append(escaped).Append('"');
        }
        return text.ToString();
    }

    private static string Number(double value) => value.ToString("R", CultureInfo.InvariantCulture);

    /// <summary>One instrument and its series, by their labels.</summary>
    private sealed class Family(Instrument instrument)
    {
        private readonly double[]? _bounds = instrument is Histogram<double> { Advice.HistogramBucketBoundaries: { } bounds } ? [.. bounds] : null;
        private readonly bool _adds = !instrument.IsObservable;

        public Instrument Instrument { get; } = instrument;

        public SortedDictionary<string, Series> Series { get; } = new(StringComparer.Ordinal);

        private bool IsHistogram => Instrument is Histogram<double> or Histogram<long> or Histogram<int>;

        private string Type => IsHistogram ? "histogram" : Instrument.GetType().Name switch
        {
            var name when name.Contains("UpDown", StringComparison.Ordinal) => "gauge",
            var name when name.Contains("Counter", StringComparison.Ordinal) => "counter",
            _ => "gauge",
        };

        public void Record(string labels, double value)
        {
            if (!Series.TryGetValue(labels, out var series))
            {
                Series.Add(labels, series = new Series(_bounds?.Length ?? 0));
            }
            series.Sum = _adds ? series.Sum + value : value;
            series.Count++;
            for (var i = 0; i < series.Buckets.Length; i++)
            {
                series.Buckets[i] += value <= _bounds![i] ? 1 : 0;
            }
        }

        public void Write(StringBuilder text)
        {
            if (Series.Count == 0)
            {
                return;
            }
            text.Append("# HELP ").Append(Instrument.Name).Append(' ').Append(Instrument.Description).Append('\n');
            text.Append("# TYPE ").Append(Instrument.Name).Append(' ').Append(Type).Append('\n');
            foreach (var (labels, series) in Series)
            {
                if (!IsHistogram)
                {
                    Line(text, "", labels, Number(series.Sum));
                    continue;
                }
                var separator = labels.Length == 0 ? "" : ",";
                for (var i = 0; i < series.Buckets.Length; i++)
                {
                    Line(text, "_bucket", $"{labels}{separator}le=\"{Number(_bounds![i])}\"", series.Buckets[i].ToString(CultureInfo.InvariantCulture));
                }
                Line(text, "_bucket", $"{labels}{separator}le=\"+Inf\"", series.Count.ToString(CultureInfo.InvariantCulture));
                Line(text, "_sum", labels, Number(series.Sum));
                Line(text, "_count", labels, series.Count.ToString(CultureInfo.InvariantCulture));
            }
        }

        private void Line(StringBuilder text, string suffix, string labels, string value)
        {
            text.Append(Instrument.Name).Append(suffix);
            if (labels.Length > 0)
            {
                text.Append('{').Append(labels).Append('}');
            }
            text.Append(' ').Append(value).Append('\n');
        }
    }

    private sealed class Series(int buckets)
    {
        public double Sum { get; set; }
        public long Count { get; set; }
        public long[] Buckets { get; } = new long[buckets];
    }
}
