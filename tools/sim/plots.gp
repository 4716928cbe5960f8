# The plots of the report, from the figures beside them. Run by report.sh in the report's directory.
set datafile separator ','
set terminal svg size 720,400 dynamic font 'sans-serif,13' background '#ffffff' linewidth 1.2
set grid lc rgb '#dddddd' lt 1
set border 3 lc rgb '#555555'
set tics nomirror
unset mxtics
unset mytics
set key outside right top Left reverse samplen 2

# Columns of the figures.
WORKERS = 2; STEAL = 4; LOAD = 6; P99 = 25

red = '#c0392b'; orange = '#e08e0b'; green = '#27823f'; blue = '#1f5fa8'; violet = '#7d3c98'; gray = '#555555'

rows(file, condition) = sprintf("< awk -F , '%s' %s.csv", condition, file)
thieves(service, workers) = rows('thieves', sprintf('$7 == "%s" && $2 == %d && $1 == "steal"', service, workers))

# 0 has no place on a logarithmic axis: it stands where a half would.
place(steal) = steal > 0 ? steal : 0.5

set output 'thieves.svg'
set title 'A hundredth of all connections waits longer than this (load 0.8)'
set xlabel 'thieves behind each owner'
set ylabel 'mean service times'
set logscale xy
set format y '%g'
set xrange [0.45:80]
set yrange [0.03:3000]
set xtics ('0' 0.5, '1' 1, '2' 2, '4' 4, '8' 8, '15' 15, '31' 31, '63' 63)
array service[3] = ['pareto', 'heavy', 'exp']
array title[3] = ['Pareto, 1.5', '1 % a hundred times longer', 'exponential']
array color[3] = [red, orange, blue]
plot for [i = 1:3] thieves(service[i], 64) using (place(column(STEAL))):P99 \
       with linespoints pt 7 ps 0.6 lw 2 lc rgb color[i] title title[i], \
     for [i = 1:3] thieves(service[i], 1024) using (place(column(STEAL))):P99 \
       with points pt 6 ps 1.1 lc rgb color[i] notitle, \
     1 / 0 with linespoints pt 7 ps 0.6 lw 2 lc rgb gray title '64 workers', \
     1 / 0 with points pt 6 ps 1.1 lc rgb gray title '1024 workers'

set output 'policies.svg'
set title '64 workers, 1 % of the requests a hundred times longer'
set xlabel 'load'
set ylabel 'p99 wait, mean service times'
unset logscale x
set xrange [0.3:0.96]
set yrange [0.01:3000]
set xtics 0.3, 0.1, 0.9
policy(name) = rows('curves', sprintf('$1 == "%s" && $25 > 0', name))
plot policy('reuseport') using LOAD:P99 with linespoints pt 7 ps 0.5 lw 2 lc rgb red title 'queue each, by hash', \
     policy('robin') using LOAD:P99 with linespoints pt 7 ps 0.5 lw 2 lc rgb orange title 'queue each, in turn', \
     policy('two') using LOAD:P99 with linespoints pt 7 ps 0.5 lw 2 lc rgb violet title 'better of two', \
     policy('least') using LOAD:P99 with linespoints pt 7 ps 0.5 lw 2 lc rgb gray title 'least connections', \
     policy('steal') using LOAD:P99 with linespoints pt 7 ps 0.5 lw 2 lc rgb blue title 'stealing, 15', \
     policy('single') using LOAD:P99 with linespoints pt 7 ps 0.5 lw 2 lc rgb green title 'one queue'

set output 'stuck.svg'
set datafile separator whitespace
set title '16 workers, load 0.6; now and then one is stuck for 100'
set xlabel 'wait, mean service times'
set ylabel 'part of the connections that waits longer'
set logscale x
set xrange [0.02:300]
set yrange [1e-5:1]
set xtics (0.1, 1, 10, 100)
set format x '%g'
set format y '10^{%T}'
plot 'tail-reuseport' with lines lw 2 lc rgb red title 'queue each, by hash', \
     'tail-least' with lines lw 2 lc rgb gray title 'least connections', \
     'tail-1' with lines lw 2 lc rgb violet title '1 thief', \
     'tail-2' with lines lw 2 lc rgb orange title '2 thieves', \
     'tail-15' with lines lw 2 lc rgb blue title '15 thieves', \
     'tail-single' with lines lw 2 lc rgb green title 'one queue'
